"""Failures the engine expects, as RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

from inferencesh_core.errors import ConfigurationError


class Problem(Exception):  # noqa: N818  # the name RFC 9457 gives it
    """An expected failure of a request.

    Attributes:
        status: The HTTP status.
        code: The machine-readable code, lower case with underscores; the last segment of `type`.
        detail: What happened, to what, and what to do.
        extra: Further members of the document, e.g. `errors`, `task`, `retry_after` (seconds).
    """

    def __init__(self, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra


class EngineStartError(ConfigurationError, RuntimeError):
    """The engine cannot start; the message names the file, folder or port and what to do.

    Clients of `local:FOLDER` meet it too, so it is an `InferenceError`.
    """


class EngineBusyError(EngineStartError):
    """Another engine has the state folder."""


def not_found(kind: str, identifier: str) -> Problem:
    """404: there is no such thing, or no longer."""
    return Problem(404, "not_found", f"no {kind} with id {identifier}")
