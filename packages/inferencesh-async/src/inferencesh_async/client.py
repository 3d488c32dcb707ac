"""The asynchronous client."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from inferencesh_core.client import NamespaceName

# Importing the client must stay cheap: what making one needs is imported when one is made.
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import TracebackType

    from typing_extensions import Self, Unpack

    # What these packages add at run time is declared here for checkers; without them it is `Any`.
    from inferencesh_agents import AsyncAgentsAPI, AsyncOpenAgent
    from inferencesh_core.assembly import ClientOptions
    from inferencesh_core.context import ClientContext
    from inferencesh_core.files import AsyncFilesAPI, Uploadable, UploadOptions
    from inferencesh_core.task_lines import Task
    from inferencesh_core.task_streams import AsyncTaskStream
    from inferencesh_core.tasks import AsyncTasksAPI, RunOptions
    from inferencesh_sessions import AsyncOpenSession, AsyncSessionsAPI

    from .driver import AsyncioDriver

N = TypeVar("N")


class AsyncInference:
    """The asyncio twin of `Inference`: the same namespaces and arguments, its methods awaited.

    Its connections are made in the event loop that first uses it. Close it with ``await client.aclose()``, or
    use it as an asynchronous context manager.

    Args:
        api_key: The key; the environment variable ``INFERENCE_API_KEY`` when absent.
        base_url: Where the API is; see `inferencesh_core.client.Inference`.
        options: What else can be set: see `inferencesh_core.assembly.ClientOptions`.

    Raises:
        ConfigurationError: there is no key for a remote address, or a setting cannot be used.
    """

    if TYPE_CHECKING:
        tasks: AsyncTasksAPI
        files: AsyncFilesAPI
        agent: AsyncOpenAgent
        agents: AsyncAgentsAPI
        session: AsyncOpenSession
        sessions: AsyncSessionsAPI
    else:
        tasks, files, agent, agents, session, sessions = (NamespaceName() for _ in range(6))

        def __getattr__(self, name: str) -> Any:
            from inferencesh_core.assembly import namespace_of  # noqa: PLC0415 - see above

            return namespace_of(self, name, asynchronous=True)

    def __init__(
        self, api_key: str | None = None, base_url: str | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        # Following is what most programs do. To read its modules from disk later would hold a running loop.
        from inferencesh_core import follow  # noqa: F401, PLC0415
        from inferencesh_core.assembly import assemble  # noqa: PLC0415 - see above

        from .driver import AsyncioDriver  # noqa: PLC0415

        self._assembly = assemble(api_key, base_url, options)
        self._transport = self._assembly.async_transport()
        self._driver = AsyncioDriver(self._transport)

    @property
    def context(self) -> ClientContext:
        """What the client's subjects share; for packages that add namespaces."""
        return self._assembly.context

    @property
    def driver(self) -> AsyncioDriver:
        """What runs the client's flows; for packages that add namespaces."""
        return self._driver

    def namespace(self, face: Callable[[Self], N]) -> N:
        """Give a namespace by its class, with its type: ``client.namespace(AsyncTracesAPI)``."""
        return face(self)

    async def aclose(self) -> None:
        """Release the connections, and stop a local engine that nobody else uses.

        What other tasks are waiting for ends in a `ConfigurationError`.
        """
        await self._driver.close()
        if self._assembly.has_endpoint:
            import asyncio  # noqa: PLC0415 - see above

            # Stopping an engine waits for its workers, and the loop need not.
            await asyncio.to_thread(self._assembly.close)

    def __dir__(self) -> list[str]:
        from inferencesh_core.assembly import names_of  # noqa: PLC0415 - see above

        return names_of(self, super().__dir__(), asynchronous=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.context.config.base_url}>"

    def __del__(self) -> None:
        transport = self.__dict__.get("_transport")
        if getattr(transport, "is_open", False):
            warnings.warn(
                f"{self!r} was never closed: await client.aclose()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: Literal[False] = False, **options: Unpack[RunOptions]
    ) -> Coroutine[Any, Any, Task]: ...
    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: Literal[True], **options: Unpack[RunOptions]
    ) -> AsyncTaskStream: ...
    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: bool, **options: Unpack[RunOptions]
    ) -> Coroutine[Any, Any, Task] | AsyncTaskStream: ...
    def run(
        self, params: Mapping[str, Any], *, stream: bool = False, **options: Unpack[RunOptions]
    ) -> Coroutine[Any, Any, Task] | AsyncTaskStream:
        """Do what `tasks.run` does; kept for code written before there were namespaces."""
        return self.tasks.run(params, stream=stream, **options)

    async def cancel(self, task_id: str) -> None:
        """Do what `tasks.cancel` does."""
        await self.tasks.cancel(task_id)

    async def get_task(self, task_id: str) -> Task:
        """Do what `tasks.get` does."""
        return await self.tasks.get(task_id)

    async def wait_for_completion(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Do what `tasks.wait_for_completion` does."""
        return await self.tasks.wait_for_completion(task_id, timeout)

    def stream_task(self, task_id: str, **options: Any) -> AsyncTaskStream:
        """Do what `tasks.stream` does."""
        return self.tasks.stream(task_id, **options)

    async def upload_file(self, data: Uploadable, options: UploadOptions = None) -> dict[str, Any]:
        """Do what `files.upload` does."""
        return await self.files.upload(data, options)


def async_inference(
    api_key: str | None = None, base_url: str | None = None, **options: Unpack[ClientOptions]
) -> AsyncInference:
    """Make an asynchronous client; the arguments are those of `AsyncInference`."""
    return AsyncInference(api_key, base_url, **options)
