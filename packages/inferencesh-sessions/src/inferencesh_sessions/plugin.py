"""What this package adds to inferencesh: ``client.session``, ``client.sessions``, and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_core.plugins import Namespace, hookimpl

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request
    from inferencesh_core.http.problems import Problem


@hookimpl
def inferencesh_namespaces() -> list[Namespace]:
    """Give ``client.sessions``, and ``client.session`` which starts one."""
    return [
        Namespace("sessions", _sessions, _async_sessions),
        Namespace("session", _session, _async_session),
    ]


@hookimpl
def inferencesh_error(problem: Problem, request: Request) -> Exception | None:
    """Give the error of a session that is unknown, over or lost."""
    from .errors import session_error  # noqa: PLC0415 - only failures need it

    return session_error(problem, request)


def _sessions(client: Any) -> object:
    from .sessions import SessionsAPI  # noqa: PLC0415 - loaded when first used

    return SessionsAPI(client)


def _async_sessions(client: Any) -> object:
    from .sessions import AsyncSessionsAPI  # noqa: PLC0415 - loaded when first used

    return AsyncSessionsAPI(client)


def _session(client: Any) -> object:
    from .opening import OpenSession  # noqa: PLC0415 - loaded when first used

    return OpenSession(client)


def _async_session(client: Any) -> object:
    from .opening import AsyncOpenSession  # noqa: PLC0415 - loaded when first used

    return AsyncOpenSession(client)
