"""The shapes a successful body comes in."""

from __future__ import annotations

from typing import Any

from ..errors import APIError

_NEWEST_ENVELOPE = frozenset({"data", "messages"})


def is_refusal(body: Any) -> bool:
    """Whether a parsed body says that the call failed, whatever the status beside it says."""
    return isinstance(body, dict) and body.get("success") is False


def unwrap(body: Any) -> Any:
    """The resource inside a parsed body, whether bare or in one of the two envelopes.

    `{"success": true, "data": ...}` and `{"data": ..., "messages": [...]}` are envelopes. `data` alone among
    other members is not: some resources have a member of that name.
    """
    return body["data"] if _is_envelope(body) else body


def _is_envelope(body: Any) -> bool:
    if not isinstance(body, dict) or "data" not in body:
        return False
    return isinstance(body.get("success"), bool) or body.keys() <= _NEWEST_ENVELOPE


def object_in(answer: Any, line: str, kind: str) -> dict[str, Any]:
    """Give back an answer that is an object.

    Args:
        answer: What a call gave.
        line: Which call it was: ``GET /tasks/t1``.
        kind: What its answer should be: ``a task``.

    Raises:
        APIError: it is empty or anything else.
    """
    if isinstance(answer, dict):
        return answer
    raise misshapen(answer, line, kind)


def misshapen(answer: Any, line: str, kind: str) -> APIError:
    """Give the error of an answer that is not what it should be; the arguments are those of `object_in`."""
    got = "is empty" if answer is None else f"is {answer!r:.80}"
    return APIError(200, f"{line}: the answer should be {kind} and {got}")
