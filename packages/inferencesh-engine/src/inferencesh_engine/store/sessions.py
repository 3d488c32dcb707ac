"""Records of sessions: what is left of them when their memory is gone."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..domain.session import Session, SessionStatus

if TYPE_CHECKING:
    import sqlite3

_LIVE_ONLY = {"calls", "idle_left"}
_NAMES = [field.name for field in fields(Session) if field.name not in _LIVE_ONLY]
_COLUMNS = ", ".join(_NAMES)
_MARKS = ", ".join("?" for _ in _NAMES)
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name != "id")


def save(db: sqlite3.Connection, session: Session) -> None:
    """Keep the record, in place of what was known of the session."""
    values = [getattr(session, name) for name in _NAMES]
    db.execute(
        f"INSERT INTO sessions ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608  # names of our own
        f" ON CONFLICT (id) DO UPDATE SET {_UPDATES}",
        [value.value if isinstance(value, SessionStatus) else value for value in values],
    )


def get(db: sqlite3.Connection, session_id: str) -> Session | None:
    """The session's record; None when there is none."""
    found = _select(db, "WHERE id = ?", session_id)
    return found[0] if found else None


def newest_first(db: sqlite3.Connection) -> list[Session]:
    """Every record that is kept."""
    return _select(db, "ORDER BY number DESC")


def active(db: sqlite3.Connection) -> list[Session]:
    """Those that had not ended when this was written, oldest first."""
    return _select(db, "WHERE status = ? ORDER BY number", SessionStatus.ACTIVE.value)


def drop_old(db: sqlite3.Connection, keep: int) -> int:
    """Forget sessions that are over, but for the newest `keep` of them; gives how many."""
    return db.execute(
        "DELETE FROM sessions WHERE status != ? AND number <="
        " (SELECT number FROM sessions WHERE status != ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
        (SessionStatus.ACTIVE.value, SessionStatus.ACTIVE.value, keep),
    ).rowcount


def _select(db: sqlite3.Connection, condition: str, *values: Any) -> list[Session]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM sessions {condition}", values)  # noqa: S608  # as above
    return [_session(row) for row in rows.fetchall()]


def _session(row: tuple[Any, ...]) -> Session:
    values = dict(zip(_NAMES, row, strict=True))
    return Session(**{**values, "status": SessionStatus(values["status"])})
