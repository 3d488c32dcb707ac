"""Sessions: looking at them, keeping them, ending them, starting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

from inferencesh_core.errors import SessionError, TaskError
from inferencesh_core.flow.effects import afterwards, result_of
from inferencesh_core.flow.faces import Async, Face, Sync, operation
from inferencesh_core.http.bodies import object_in
from inferencesh_core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferencesh_core.context import ClientContext
    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.follow_options import FollowOptions
    from inferencesh_core.task_lines import Task
    from inferencesh_core.types import AppSessionDTO

_FAREWELL_SECONDS = 5.0
_AppSessions: TypeAlias = "list[AppSessionDTO]"  # inside the class, `list` is the method


class Sessions:
    """The session routes."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._tasks = Tasks(context)

    def get(self, session_id: str) -> Flow[AppSessionDTO]:
        """Give the session as it is now, or as it was when it ended.

        Args:
            session_id: The session.

        Raises:
            SessionNotFoundError: there is no such session.
        """
        path = _path(session_id)
        answer = yield from self._api.call("GET", path)
        return cast("AppSessionDTO", object_in(answer, f"GET {path}", "a session"))

    def list(self) -> Flow[_AppSessions]:
        """Give the sessions, those that are over included as far as the server keeps them."""
        return (yield from self._api.call("GET", "/sessions")) or []

    def keepalive(self, session_id: str) -> Flow[AppSessionDTO]:
        """Set the idle clock of a session back, without a call.

        Args:
            session_id: The session.

        Raises:
            SessionNotFoundError: there is no such session.
            SessionExpiredError: it was idle for too long already.
            SessionEndedError: it was ended.
            WorkerLostError: its worker died.
        """
        path = f"{_path(session_id)}/keepalive"
        answer = yield from self._api.call("POST", path, repeatable=True)
        return cast("AppSessionDTO", object_in(answer, f"POST {path}", "a session"))

    def end(self, session_id: str) -> Flow[None]:
        """End a session: a call that runs is cancelled, the worker unloads the app.

        Args:
            session_id: The session; one that is over already stays as it is.

        Raises:
            SessionNotFoundError: there is no such session.
        """
        yield from self._api.call("DELETE", _path(session_id))

    def begin(self, params: Mapping[str, Any], options: FollowOptions) -> Flow[Task]:
        """Start a session and give the completed task of its first call, which has the ``session_id``.

        The session is ended when that does not come about: the call fails, or waiting for it is given up.
        """
        task, since = yield from self._tasks.begin({**params, "session": "new"}, options)
        unheld = _Unheld(task)
        yield from afterwards(self._end_unheld(unheld))
        try:
            task = yield from result_of(self._tasks.follow(task["id"], options, known=task, since=since))
        except TaskError as error:
            unheld.task = error.task
            raise
        if not task.get("session_id"):
            raise SessionError(200, f"the server began no session: task {task['id']} has no session_id")
        unheld.task = {}
        return task

    def _end_unheld(self, unheld: _Unheld) -> Flow[None]:
        session_id = unheld.task.get("session_id")
        if session_id:
            try:
                yield from self._api.call("DELETE", _path(session_id), seconds=_FAREWELL_SECONDS)
            except SessionError:
                return  # it is over, which is all that was wanted


class _Unheld:
    """The task of a session that nobody holds yet; empty once somebody does."""

    def __init__(self, task: Task) -> None:
        self.task = task


def _path(session_id: str) -> str:
    if not session_id or not isinstance(session_id, str):
        raise ValueError(f"a session id is a non-empty string, not {session_id!r}")
    return f"/sessions/{quote(session_id, safe='')}"


class _SessionsFace(Face[Sessions]):
    subject_type = Sessions

    get = operation(Sessions.get)
    list = operation(Sessions.list)
    keepalive = operation(Sessions.keepalive)
    end = operation(Sessions.end)


class SessionsAPI(Sync, _SessionsFace):
    """``client.sessions``."""


class AsyncSessionsAPI(Async, _SessionsFace):
    """``client.sessions`` of an asynchronous client."""
