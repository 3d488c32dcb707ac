"""The shapes of bodies: bare for `X-API-Version: 2`, else an envelope that serves old and new clients.

Wire protocol 1.3 and 1.4. Python agents read `success` and `data`, or `error.message`; newer JavaScript reads
`data`, or `detail`; one body with all of them satisfies both.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from inferencesh_core.json_encoder import encoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..domain.problems import Problem

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
ERROR_TYPE_BASE = "https://api.inference.sh/errors/"

_BEFORE_DATA = b'{"success": true, "status": 200, "data": '
_AFTER_DATA = b', "messages": []}'
_encode = encoder(separators=(",", ":"))


def to_json(value: Any) -> bytes:
    """The value as compact JSON."""
    return _encode(value).encode()


def success(resource: bytes, *, bare: bool) -> bytes:
    """The body of a success, from the resource's JSON."""
    return resource if bare else _BEFORE_DATA + resource + _AFTER_DATA


def failure(problem: Problem, *, bare: bool) -> tuple[str, bytes]:
    """The content type and body of a failure."""
    if problem.status == 412 and "errors" in problem.extra:
        return JSON, to_json(_requirements(problem))
    document = _problem_document(problem)
    if bare:
        return PROBLEM_JSON, to_json(document)
    # AsyncAgent parses an error only when it is labelled exactly application/json.
    return JSON, to_json({"success": False, "error": _old_error(problem), **document})


def _problem_document(problem: Problem) -> Mapping[str, Any]:
    return {
        **problem.extra,
        "type": ERROR_TYPE_BASE + problem.code,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }


def _requirements(problem: Problem) -> Mapping[str, Any]:
    """Requirements not met are never wrapped; `error` next to them gives old agents a text to show."""
    return {"satisfied": False, **problem.extra, "error": _old_error(problem)}


def _old_error(problem: Problem) -> Mapping[str, str]:
    return {"code": problem.code, "message": problem.detail}
