"""A session as users hold it: calls by function name, and a block at whose end it ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, overload

from inferencesh_core.errors import SessionError
from inferencesh_core.flow.faces import Async, Sync, operation
from inferencesh_core.tasks import AsyncTasksAPI, TasksAPI

from .sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.flow.faces import Client
    from inferencesh_core.task_lines import Task
    from inferencesh_core.task_streams import AsyncTaskStream, TaskStream
    from inferencesh_core.tasks import RunOptions
    from inferencesh_core.types import AppSessionDTO

_log = logging.getLogger("inferencesh")


class OneSession:
    """The verbs of one session."""

    def __init__(self, sessions: Sessions, app: str, session_id: str) -> None:
        self._sessions = sessions
        self._app = app
        self.id = session_id

    def params(self, function: str, value: Any) -> dict[str, Any]:
        """Give what a call runs."""
        return {"app": self._app, "function": function, "input": value, "session": self.id}

    def info(self) -> Flow[AppSessionDTO]:
        """Give the session as it is now; see `SessionsAPI.get`."""
        return self._sessions.get(self.id)

    def keepalive(self) -> Flow[AppSessionDTO]:
        """Set the idle clock back, without a call; see `SessionsAPI.keepalive`."""
        return self._sessions.keepalive(self.id)

    def end(self) -> Flow[None]:
        """End the session; see `SessionsAPI.end`. The second time does nothing."""
        return self._sessions.end(self.id)

    def leave(self, *, failing: bool) -> Flow[None]:
        """End the session as its block is left; while the block fails, its own error goes first."""
        try:
            yield from self.end()
        except SessionError:
            return  # it is over, which is all that was wanted
        except Exception as error:
            if not failing:
                raise
            _log.warning("session %s was not ended and expires by itself: %s", self.id, error)


class _Handle:
    """What both handles have.

    Args:
        client: The client to ask with.
        app: The app, as it is called.
        session_id: The session.
        task: The completed first call; None where the handle is made for a session that runs already.
    """

    info = operation(OneSession.info)
    keepalive = operation(OneSession.keepalive)
    end = operation(OneSession.end)

    def __init__(self, client: Client, app: str, session_id: str, task: Task | None = None) -> None:
        self._driver = client.driver
        self._subject = OneSession(Sessions(client.context), app, session_id)
        self._task = task

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._subject.id

    @property
    def task(self) -> Task | None:
        """The completed first call, with its output; None where the session ran before this handle."""
        return self._task

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.session_id}>"


class SessionHandle(Sync, _Handle):
    """A session. As a context manager it ends with its block, also when that raises."""

    def __init__(self, client: Client, app: str, session_id: str, task: Task | None = None) -> None:
        super().__init__(client, app, session_id, task)
        self._tasks = TasksAPI(client)

    @overload
    def call(
        self,
        function: str = "run",
        input: Any = None,
        *,
        stream: Literal[False] = False,
        **options: Unpack[RunOptions],
    ) -> Task: ...
    @overload
    def call(
        self,
        function: str = "run",
        input: Any = None,
        *,
        stream: Literal[True],
        **options: Unpack[RunOptions],
    ) -> TaskStream: ...
    @overload
    def call(
        self,
        function: str = "run",
        input: Any = None,
        *,
        stream: bool,
        **options: Unpack[RunOptions],
    ) -> Task | TaskStream: ...
    def call(
        self,
        function: str = "run",
        input: Any = None,  # noqa: A002
        *,
        stream: bool = False,
        **options: Unpack[RunOptions],
    ) -> Task | TaskStream:
        """Call a function of the app in this session; calls run one after the other.

        Args:
            function: The function's name.
            input: What it is given.
            stream: Give the task's updates as they come.
            options: ``wait``, ``timeout`` and the others of `TasksAPI.run`.

        Raises:
            SessionExpiredError: the session was idle for too long.
            SessionEndedError: it was ended.
            WorkerLostError: its worker died, and what it knew with it.
            TaskError: the call itself failed; the session goes on, unless its worker died of it.
        """
        return self._tasks.run(self._subject.params(function, input), stream=stream, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._driver.run(self._subject.leave(failing=error is not None))


class AsyncSessionHandle(Async, _Handle):
    """The asyncio twin of `SessionHandle`."""

    def __init__(self, client: Client, app: str, session_id: str, task: Task | None = None) -> None:
        super().__init__(client, app, session_id, task)
        self._tasks = AsyncTasksAPI(client)

    @overload
    def call(
        self,
        function: str = "run",
        input: Any = None,
        *,
        stream: Literal[False] = False,
        **options: Unpack[RunOptions],
    ) -> Coroutine[Any, Any, Task]: ...
    @overload
    def call(
        self,
        function: str = "run",
        input: Any = None,
        *,
        stream: Literal[True],
        **options: Unpack[RunOptions],
    ) -> AsyncTaskStream: ...
    def call(
        self,
        function: str = "run",
        input: Any = None,  # noqa: A002
        *,
        stream: bool = False,
        **options: Unpack[RunOptions],
    ) -> Coroutine[Any, Any, Task] | AsyncTaskStream:
        """Call a function; see `SessionHandle.call`. Await it; a stream may be iterated awaited or not."""
        params = self._subject.params(function, input)
        if stream:
            return self._tasks.run(params, stream=True, **options)
        return self._tasks.run(params, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._driver.run(self._subject.leave(failing=error is not None))
