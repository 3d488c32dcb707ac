"""Which error a server's answer about a session is (wire protocol 4.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inferencesh_core.errors import (
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    SessionNotFoundError,
    WorkerLostError,
)
from inferencesh_core.json_codec import loads

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request
    from inferencesh_core.http.problems import Problem

_BY_CODE = {
    "session_not_found": SessionNotFoundError,
    "session_expired": SessionExpiredError,
    "session_ended": SessionEndedError,
    "worker_lost": WorkerLostError,
}
_OTHER_CODES = frozenset({"worker_leased", "app_mismatch", "version_mismatch"})
_SESSION_IN_PATH = re.compile(r"/sessions/([^/]+)(?:/keepalive)?$")


def session_error(problem: Problem, request: Request) -> SessionError | None:
    """Give the error, None for a failure that is not about a session."""
    kind = _BY_CODE.get(problem.code or "")
    if kind is None and problem.status == 404 and _SESSION_IN_PATH.search(request.url):
        kind = SessionNotFoundError
    if kind is not None:
        return kind(_session_of(problem, request), problem.body_text)
    if problem.code in _OTHER_CODES:
        return SessionError(problem.status, problem.message, problem.body_text)
    return None


def _session_of(problem: Problem, request: Request) -> str:
    """The session's id: as the server says, else as it was asked for."""
    told = (problem.raw or {}).get("session_id")
    if isinstance(told, str) and told:
        return told
    in_path = _SESSION_IN_PATH.search(request.url)
    return unquote(in_path[1]) if in_path is not None else _session_in_body(request)


def _session_in_body(request: Request) -> str:
    params = loads(request.body) if isinstance(request.body, bytes) else None
    return str(params.get("session", "")) if isinstance(params, dict) else ""
