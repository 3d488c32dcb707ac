"""The synchronous client: settings, plugins, transport and driver put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

# Importing the client must stay cheap: what making one needs is imported when one is made.
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self, Unpack

    # What these packages add at run time is declared here for checkers; without them it is `Any`.
    from inferencesh_agents import AgentsAPI, OpenAgent
    from inferencesh_sessions import OpenSession, SessionsAPI

    from .assembly import ClientOptions
    from .context import ClientContext
    from .files import FilesAPI, Uploadable, UploadOptions
    from .flow.driver import SyncDriver
    from .task_lines import Task
    from .task_streams import TaskStream
    from .tasks import RunOptions, TasksAPI

N = TypeVar("N")


class NamespaceName:
    """Stands in a client's class for a namespace, so that completion, `dir` and mocks find it there.

    It is not a data descriptor: a namespace that was made is looked up past it.
    """

    _name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, client: Any, owner: type) -> Any:
        return self if client is None else client.__getattr__(self._name)


class Inference:
    """A client of the inference.sh API. Threads may share it.

    Its attributes are namespaces: `tasks`, `files`, and those that installed packages add. Close it, or use
    it as a context manager, to release its connections.

    Args:
        api_key: The key; the environment variable ``INFERENCE_API_KEY`` when absent.
        base_url: Where the API is: an ``https`` address, or ``local:FOLDER`` for an engine of your own that
            serves the apps in FOLDER; the environment variable ``INFERENCE_BASE_URL``, else inference.sh.
        options: What else can be set: see `inferencesh_core.assembly.ClientOptions`.

    Raises:
        ConfigurationError: there is no key for a remote address, or a setting cannot be used.
    """

    if TYPE_CHECKING:
        tasks: TasksAPI
        files: FilesAPI
        agent: OpenAgent
        agents: AgentsAPI
        session: OpenSession
        sessions: SessionsAPI
    else:
        tasks, files, agent, agents, session, sessions = (NamespaceName() for _ in range(6))

        def __getattr__(self, name: str) -> Any:
            from .assembly import namespace_of  # noqa: PLC0415 - see above

            return namespace_of(self, name)

    def __init__(
        self, api_key: str | None = None, base_url: str | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        from .assembly import assemble  # noqa: PLC0415 - see above
        from .flow.driver import SyncDriver  # noqa: PLC0415

        self._assembly = assemble(api_key, base_url, options)
        self._driver = SyncDriver(self._assembly.transport())

    @property
    def context(self) -> ClientContext:
        """What the client's subjects share; for packages that add namespaces."""
        return self._assembly.context

    @property
    def driver(self) -> SyncDriver:
        """What runs the client's flows; for packages that add namespaces."""
        return self._driver

    def namespace(self, face: Callable[[Self], N]) -> N:
        """Give a namespace by its class, with its type: ``client.namespace(TracesAPI)``."""
        return face(self)

    def close(self) -> None:
        """Release the connections, and stop a local engine that nobody else uses.

        What other threads are waiting for ends in a `ConfigurationError`.
        """
        self._driver.close()
        self._assembly.close()

    def __dir__(self) -> list[str]:
        from .assembly import names_of  # noqa: PLC0415 - see above

        return names_of(self, super().__dir__())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.context.config.base_url}>"

    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: Literal[False] = False, **options: Unpack[RunOptions]
    ) -> Task: ...
    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: Literal[True], **options: Unpack[RunOptions]
    ) -> TaskStream: ...
    @overload
    def run(
        self, params: Mapping[str, Any], *, stream: bool, **options: Unpack[RunOptions]
    ) -> Task | TaskStream: ...
    def run(
        self, params: Mapping[str, Any], *, stream: bool = False, **options: Unpack[RunOptions]
    ) -> Task | TaskStream:
        """Do what `tasks.run` does; kept for code written before there were namespaces."""
        return self.tasks.run(params, stream=stream, **options)

    def cancel(self, task_id: str) -> None:
        """Do what `tasks.cancel` does."""
        self.tasks.cancel(task_id)

    def get_task(self, task_id: str) -> Task:
        """Do what `tasks.get` does."""
        return self.tasks.get(task_id)

    def wait_for_completion(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Do what `tasks.wait_for_completion` does."""
        return self.tasks.wait_for_completion(task_id, timeout)

    def stream_task(self, task_id: str, **options: Any) -> TaskStream:
        """Do what `tasks.stream` does."""
        return self.tasks.stream(task_id, **options)

    def upload_file(self, data: Uploadable, options: UploadOptions = None) -> dict[str, Any]:
        """Do what `files.upload` does."""
        return self.files.upload(data, options)


def inference(
    api_key: str | None = None, base_url: str | None = None, **options: Unpack[ClientOptions]
) -> Inference:
    """Make a client; the arguments are those of `Inference`.

    Example:
        >>> client = inference(base_url="local:examples/apps")
        >>> client.tasks.run({"app": "examples/echo", "input": {"text": "hi"}})["output"]
    """
    return Inference(api_key, base_url, **options)
