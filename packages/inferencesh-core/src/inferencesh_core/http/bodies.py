"""The shapes a successful body comes in."""

from __future__ import annotations

from typing import Any

_NEWEST_ENVELOPE = frozenset({"data", "messages"})


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
