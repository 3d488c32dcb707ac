"""``client.session(...)``: starting a session by its first call."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any

from inferencesh_core.flow.faces import Async, Face, Sync
from inferencesh_core.follow_options import FollowOptions

from .handles import AsyncSessionHandle, SessionHandle
from .sessions import Sessions

if TYPE_CHECKING:
    from types import TracebackType

    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.task_lines import Task

_FOLLOWING = ("auto_reconnect", "max_reconnects", "reconnect_delay_ms", "timeout", "cancel_on_exit")


class _Opening(Face[Sessions]):
    subject_type = Sessions

    def _begin(self, app: str, own: dict[str, Any], more: dict[str, Any]) -> Flow[Task]:
        for name in ("wait", "stream", "session"):
            if name in more:
                raise TypeError(f"session() has no option {name!r}: it begins with a call that has completed")
        options = FollowOptions(**{name: more.pop(name) for name in _FOLLOWING if name in more})
        params = {name: value for name, value in own.items() if value is not None}
        return self._subject.begin({"app": app, **params, **more}, options)


class OpenSession(Sync, _Opening):
    """``client.session``: call it."""

    def __call__(
        self,
        app: str,
        *,
        function: str | None = None,
        input: Any = None,  # noqa: A002 - its public name
        setup: Any = None,
        session_timeout: int | None = None,
        **params: Any,
    ) -> SessionHandle:
        """Start a session by its first call, and give it when that call has completed.

        Args:
            app: The app, as in ``tasks.run``.
            function: What the first call runs; ``None`` is the app's default.
            input: What it is given.
            setup: The setup values of the session's worker.
            session_timeout: Seconds without a call until it expires, 1 to 3600; ``None`` is 60.
            params: What else a run can be given (``infra``, ``workers``, …), and how to wait for it
                (``timeout``, ``auto_reconnect``, …); see `TasksAPI.run`.

        Raises:
            TaskError: the first call did not complete; the session is ended.
            APIError: the server refused.
        """
        own = {"function": function, "input": input, "setup": setup, "session_timeout": session_timeout}
        task = self._driver.run(self._begin(app, own, params))
        return SessionHandle(self._client, app, task["session_id"], task)


class AsyncOpenSession(Async, _Opening):
    """``client.session`` of an asynchronous client: call it, and await or enter what it gives."""

    def __call__(
        self,
        app: str,
        *,
        function: str | None = None,
        input: Any = None,  # noqa: A002
        setup: Any = None,
        session_timeout: int | None = None,
        **params: Any,
    ) -> AsyncSession:
        """Start a session; see `OpenSession`.

        Both ``async with await client.session(...)`` and ``async with client.session(...)`` are right.
        """
        own = {"function": function, "input": input, "setup": setup, "session_timeout": session_timeout}
        return AsyncSession(self._open(app, self._begin(app, own, params)))

    async def _open(self, app: str, begin: Flow[Task]) -> AsyncSessionHandle:
        task = await self._driver.run(begin)
        return AsyncSessionHandle(self._client, app, task["session_id"], task)


class AsyncSession(Coroutine[Any, Any, AsyncSessionHandle]):
    """A session that is about to start: a coroutine that gives its handle, and its block as well."""

    _handle: AsyncSessionHandle

    def __init__(self, opening: Coroutine[Any, Any, AsyncSessionHandle]) -> None:
        self._opening = opening

    def send(self, value: Any) -> Any:
        """Go on, as any coroutine."""
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise where it waits, as any coroutine."""
        return self._opening.throw(*error)

    def close(self) -> None:
        """Give up, as any coroutine."""
        self._opening.close()

    def __await__(self) -> Generator[Any, Any, AsyncSessionHandle]:
        return self._opening.__await__()

    async def __aenter__(self) -> AsyncSessionHandle:
        self._handle = await self._opening
        return self._handle

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._handle.__aexit__(kind, error, traceback)
