"""Ends of tasks that somebody is still to be told of, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tasks import ENDED

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Due:
    """What is to be told.

    Attributes:
        tries: How often that failed.
        due_at: Unix time of the next try.
    """

    task_id: str
    tries: int = 0
    due_at: float = 0.0


def insert(db: sqlite3.Connection, task_id: str) -> None:
    """The task's end is to be told."""
    db.execute("INSERT INTO webhooks (task_id, tries, due_at) VALUES (?, 0, 0)", (task_id,))


def ended(db: sqlite3.Connection) -> list[Due]:
    """What is to be told of tasks that have ended."""
    rows = db.execute(
        "SELECT task_id, tries, due_at FROM webhooks JOIN tasks ON tasks.id = task_id WHERE status >= ?",
        (ENDED,),
    )
    return [Due(*row) for row in rows.fetchall()]


def put_off(db: sqlite3.Connection, due: Due) -> None:
    """There will be another try."""
    db.execute(
        "UPDATE webhooks SET tries = ?, due_at = ? WHERE task_id = ?", (due.tries, due.due_at, due.task_id)
    )


def drop(db: sqlite3.Connection, task_id: str) -> None:
    """It was told, or given up."""
    db.execute("DELETE FROM webhooks WHERE task_id = ?", (task_id,))
