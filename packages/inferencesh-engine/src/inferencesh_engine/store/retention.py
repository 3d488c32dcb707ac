"""Rows that have outlived their use, dropped a few at a time so that no other write waits long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import crash_points
from . import tasks

if TYPE_CHECKING:
    import sqlite3

_AT_ONCE = 500


def drop_old_events(db: sqlite3.Connection, ended_before: float) -> int:
    """Forget how tasks that ended before this time got there; gives the number of tasks."""
    ids = db.execute(
        "SELECT DISTINCT tasks.id FROM events JOIN tasks ON tasks.id = events.task_id"
        " WHERE tasks.status >= ? AND tasks.updated_at < ? LIMIT ?",
        (tasks.ENDED, ended_before, _AT_ONCE),
    ).fetchall()
    db.executemany("DELETE FROM events WHERE task_id = ?", ids)
    crash_points.reached("retention.pruning")
    return len(ids)


def drop_old_tasks(db: sqlite3.Connection, keep: int) -> int:
    """Forget finished tasks older than the newest `keep`; gives how many."""
    rows = db.execute(
        "SELECT id FROM tasks WHERE status >= ? AND number <= (SELECT MAX(number) FROM tasks) - ?"
        " ORDER BY number LIMIT ?",
        (tasks.ENDED, keep, _AT_ONCE),
    ).fetchall()
    tasks.delete(db, [row[0] for row in rows])
    return len(rows)


def events_left(db: sqlite3.Connection) -> bool:
    """Whether there are events of any task."""
    return db.execute("SELECT 1 FROM events LIMIT 1").fetchone() is not None
