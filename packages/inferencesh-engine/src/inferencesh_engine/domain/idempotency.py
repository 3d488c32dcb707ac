"""One key, one task: how a repeated request is recognised."""

from __future__ import annotations

from dataclasses import dataclass

from .problems import Problem


@dataclass(frozen=True)
class Idempotency:
    """The caller's wish that a request be carried out once.

    Attributes:
        key: The `Idempotency-Key` header.
        scope: Who may replay it: an id of the token, and the route.
        fingerprint: SHA-256 of the canonical body, hexadecimal.
    """

    key: str
    scope: str
    fingerprint: str


def mismatch(key: str) -> Problem:
    """422: the key was used before, for something else."""
    detail = f"Idempotency-Key {key!r} was used before with another body; use a new key for a new request"
    return Problem(422, "idempotency_mismatch", detail)


def in_progress(key: str) -> Problem:
    """409: the first request with this key has not been answered yet."""
    detail = f"the first request with Idempotency-Key {key!r} is still being accepted; try again in a second"
    return Problem(409, "idempotency_in_progress", detail, retry_after=1)
