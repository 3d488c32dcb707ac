"""Streams of a task's updates, as users hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import TaskError
from .follow_options import FollowOptions
from .statuses import TaskStatus, parse_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from .flow.effects import Flow
    from .flow.faces import Client
    from .follow import Follower
    from .task_lines import Task


class _TaskStream:
    """What both streams know.

    Args:
        task: The task to follow; ``{"id": …}`` is enough.
        client: The client to ask with.
        auto_reconnect: Go on after the connection broke.
        max_reconnects: Failures in a row after which to give up.
        reconnect_delay_ms: Upper end of the first pause between tries, in milliseconds.
        timeout: Seconds until `TaskTimeoutError`, ``None`` follows as long as it takes.
        cancel_on_exit: Cancel the task when this is closed, or fails, before the task is over.
        from_start: Give every update since the task began, where the server keeps them.
        since: When the time began, as the driver's clock said; ``None`` when this is first iterated.
    """

    def __init__(
        self,
        task: Task,
        client: Client,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        *,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
        from_start: bool = False,
        since: float | None = None,
    ) -> None:
        self._client = client
        self._options = FollowOptions(
            auto_reconnect, max_reconnects, reconnect_delay_ms, timeout, cancel_on_exit
        )
        self._from_start = from_start
        self._since = since
        self._task = task
        self._error: Exception | None = None

    @property
    def task(self) -> Task:
        """The task as last seen."""
        return self._task

    @property
    def result(self) -> Task | None:
        """The completed task; ``None`` until it has completed."""
        return self._task if parse_status(self._task.get("status")) == TaskStatus.COMPLETED else None

    @property
    def error(self) -> Exception | None:
        """Why there will be no result, once that is known."""
        return self._error

    def _follower(self) -> Follower:
        from .follow import Follower  # noqa: PLC0415 - not needed to look at tasks
        from .task_lines import TaskView  # noqa: PLC0415

        # A record of more than an id came from the server: changes are changes of it.
        known = self._task if "status" in self._task else None
        view = TaskView(self._task["id"], known)
        api, config = self._client.context.api, self._client.context.config
        return Follower(api, config, view, self._options, from_start=self._from_start, since=self._since)

    def _leave(self) -> Flow[None]:
        """Do what is due on closing when nobody ever iterated."""
        if self._task:
            yield from self._follower().leave()

    def _failed(self, error: Exception) -> None:
        self._error = error
        if isinstance(error, TaskError):
            self._task = error.task


class TaskStream(_TaskStream):
    """The updates of a task: iterate over it; each update is the whole task.

    The final state is an update too. Of a task that failed or was cancelled, iterating then raises.
    As a context manager it closes its connection on leaving, as does `close`.
    """

    _iterator: Generator[Task, None, Task] | None = None

    def stream(self) -> Iterator[Task]:
        """Give the updates.

        Raises:
            TaskFailedError: the task failed; its final state was the last update.
            TaskCancelledError: the task was cancelled.
            TaskTimeoutError: the time was over first.
            InferenceError: the server refused, or could not be reached again.
        """
        if self._iterator is None:
            self._iterator = self._client.driver.iterate(self._follower().updates())
        iterator = self._iterator
        try:
            for self._task in iterator:
                yield self._task
        except Exception as error:
            self._failed(error)
            raise

    def close(self) -> None:
        """Stop following and close the connection; without ``cancel_on_exit`` the task goes on."""
        if self._iterator is not None:
            self._iterator.close()
        else:
            self._client.driver.run(self._leave())

    def __iter__(self) -> Iterator[Task]:
        return self.stream()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncTaskStream(_TaskStream):
    """The asyncio twin of `TaskStream`: ``async for``, ``async with``.

    One that starts its task itself does so when it is awaited, entered or first iterated.
    """

    _iterator: AsyncIterator[Task] | None = None
    _starting: Flow[tuple[Task, float | None]] | None = None

    @classmethod
    def of_new_task(cls, begin: Flow[tuple[Task, float | None]], client: Client, **options: Any) -> Self:
        """Give the stream of a task that ``begin`` will make; see `Tasks.begin`."""
        stream = cls({}, client, **options)
        stream._starting = begin
        return stream

    async def stream(self) -> AsyncIterator[Task]:
        """Give the updates; see `TaskStream.stream`."""
        await self._begun()
        if self._iterator is None:
            self._iterator = self._client.driver.iterate(self._follower().updates())
        iterator = self._iterator
        try:
            async for self._task in iterator:
                yield self._task
        except Exception as error:
            self._failed(error)
            raise

    async def close(self) -> None:
        """Stop following and close the connection; see `TaskStream.close`."""
        if self._iterator is not None:
            await self._iterator.aclose()  # type: ignore[attr-defined]  # the driver's is a generator
        else:
            await self._client.driver.run(self._leave())

    def __aiter__(self) -> AsyncIterator[Task]:
        return self.stream()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._begun().__await__()

    async def _begun(self) -> Self:
        starting, self._starting = self._starting, None
        if starting is not None:
            self._task, self._since = await self._client.driver.run(starting)
        return self

    async def __aenter__(self) -> Self:
        return await self._begun()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
