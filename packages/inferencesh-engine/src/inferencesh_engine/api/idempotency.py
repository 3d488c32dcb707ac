"""`Idempotency-Key`: a repeated request is answered as the first one was, not carried out again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..domain.idempotency import Idempotency
from ..domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Call

MAX_KEY_CHARS = 255


def idempotency(call: Call, body: Mapping[str, Any], *, route: str) -> Idempotency | None:
    """What the caller wants done once; None without the header, a 400 problem when it is no good."""
    key = call.request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY_CHARS):
        detail = f"Idempotency-Key must be 1 to {MAX_KEY_CHARS} printable ASCII characters"
        raise Problem(400, "invalid_request", detail)
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return Idempotency(key, f"{call.caller}:{route}", hashlib.sha256(canonical.encode()).hexdigest())


def mark_replayed(call: Call) -> None:
    """Say that the answer is that of an earlier request."""
    call.headers["Idempotent-Replayed"] = "true"
