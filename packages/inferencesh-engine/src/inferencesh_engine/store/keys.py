"""Idempotency keys and the tasks they led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from ..domain.idempotency import Idempotency

_AT_ONCE = 500


def find(db: sqlite3.Connection, asked: Idempotency, *, since: float) -> tuple[str, str] | None:
    """Fingerprint and task id of the first request with this key, if it came after `since` (Unix seconds)."""
    found: tuple[str, str] | None = db.execute(
        "SELECT fingerprint, task_id FROM idempotency_keys WHERE scope = ? AND key = ? AND created_at > ?",
        (asked.scope, asked.key, since),
    ).fetchone()
    return found


def insert(db: sqlite3.Connection, asked: Idempotency, task_id: str, now: float) -> None:
    """Bind the key to its task; an expired use of the same key gives way."""
    db.execute("DELETE FROM idempotency_keys WHERE scope = ? AND key = ?", (asked.scope, asked.key))
    db.execute(
        "INSERT INTO idempotency_keys (scope, key, fingerprint, task_id, created_at) VALUES (?, ?, ?, ?, ?)",
        (asked.scope, asked.key, asked.fingerprint, task_id, now),
    )


def expire(db: sqlite3.Connection, before: float) -> int:
    """Drop some of the oldest keys, if they came before this time; gives how many."""
    return db.execute(
        "DELETE FROM idempotency_keys WHERE created_at < ? AND number IN"
        " (SELECT number FROM idempotency_keys ORDER BY number LIMIT ?)",
        (before, _AT_ONCE),
    ).rowcount
