"""Records of chats, messages and tool invocations."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..domain.chat import (
    Chat,
    ChatAgent,
    ChatStatus,
    InvocationStatus,
    Message,
    MessageStatus,
    ToolInvocation,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ..domain.chat import Record

_AT_REST = (ChatStatus.IDLE.value, ChatStatus.COMPLETED.value)
_AT_ONCE = 100
_TABLES = ("tool_invocations", "chat_messages")


@dataclass(frozen=True)
class KeptChat:
    """A chat as the store has it; messages and invocations in the order they were made."""

    chat: Chat
    messages: list[Message]
    invocations: list[ToolInvocation]


def save(db: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keep these records, in place of what was known of them."""
    for record in records:
        if isinstance(record, Chat):
            _save_chat(db, record)
        elif isinstance(record, Message):
            db.execute(
                "INSERT INTO chat_messages (id, chat_id, status, record) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET status = excluded.status, record = excluded.record",
                (record.id, record.chat_id, record.status.value, _text(record)),
            )
        else:
            db.execute(
                "INSERT INTO tool_invocations (id, chat_id, record) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (record.id, record.chat_id, _text(record)),
            )


def _save_chat(db: sqlite3.Connection, chat: Chat) -> None:
    db.execute(
        "INSERT INTO chats (id, created_at, updated_at, status, name, agent_id, agent_version_id, parent_id,"
        " record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " updated_at = excluded.updated_at, status = excluded.status, name = excluded.name,"
        " agent_id = excluded.agent_id, agent_version_id = excluded.agent_version_id,"
        " record = excluded.record",
        (
            chat.id,
            chat.created_at,
            chat.updated_at,
            chat.status.value,
            chat.name,
            chat.agent.agent_id,
            chat.agent.version_id,
            chat.parent_id,
            _text(chat),
        ),
    )


def get(db: sqlite3.Connection, chat_id: str) -> KeptChat | None:
    """The chat and all that belongs to it; None when there is none."""
    row = db.execute("SELECT record FROM chats WHERE id = ?", (chat_id,)).fetchone()
    if row is None:
        return None
    messages = _records(db, "chat_messages", chat_id)
    invocations = _records(db, "tool_invocations", chat_id)
    return KeptChat(
        chat=chat_from(row[0]),
        messages=[Message(**_with(one, status=MessageStatus, parts=tuple)) for one in messages],
        invocations=[ToolInvocation(**_with(one, status=InvocationStatus)) for one in invocations],
    )


def chat_of(db: sqlite3.Connection, table: str, record_id: str) -> str | None:
    """The id of the chat that a message or an invocation belongs to; None when there is no such record."""
    row = db.execute(f"SELECT chat_id FROM {table} WHERE id = ?", (record_id,)).fetchone()  # noqa: S608  # a name of ours
    return row[0] if row is not None else None


def unfinished(db: sqlite3.Connection) -> list[str]:
    """The ids of chats with a turn to go on with, or a message to begin one, oldest first."""
    rows = db.execute(
        "SELECT id FROM chats WHERE status NOT IN (?, ?) OR id IN"
        " (SELECT chat_id FROM chat_messages WHERE status IN ('queued', 'pending')) ORDER BY number",
        _AT_REST,
    )
    return [row[0] for row in rows.fetchall()]


def children(db: sqlite3.Connection, chat_id: str) -> list[str]:
    """The ids of the chats right below this one."""
    rows = db.execute("SELECT id FROM chats WHERE parent_id = ? ORDER BY number", (chat_id,))
    return [row[0] for row in rows.fetchall()]


def delete(db: sqlite3.Connection, chat_id: str) -> None:
    """Forget the chat and all that belongs to it."""
    for table in _TABLES:
        db.execute(f"DELETE FROM {table} WHERE chat_id = ?", (chat_id,))  # noqa: S608  # as above
    db.execute("DELETE FROM chats WHERE id = ?", (chat_id,))


def drop_old(db: sqlite3.Connection, keep: int) -> int:
    """Forget some of the chats at rest that are older than the newest `keep`, and those below them.

    Gives how many.
    """
    found = db.execute(
        "SELECT id FROM chats WHERE parent_id IS NULL AND status IN (?, ?) AND number <="
        " (SELECT number FROM chats WHERE parent_id IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?)"
        " UNION ALL SELECT id FROM chats WHERE parent_id NOT IN (SELECT id FROM chats) LIMIT ?",
        (*_AT_REST, keep, _AT_ONCE),
    ).fetchall()
    for (chat_id,) in found:
        delete(db, chat_id)
    return len(found)


def chat_from(text: str) -> Chat:
    """The chat whose record this is."""
    values = _with(json.loads(text), status=ChatStatus)
    return Chat(**{**values, "agent": ChatAgent(**values["agent"])})


def _records(db: sqlite3.Connection, table: str, chat_id: str) -> list[dict[str, Any]]:
    rows = db.execute(f"SELECT record FROM {table} WHERE chat_id = ? ORDER BY number", (chat_id,))  # noqa: S608  # as above
    return [json.loads(text) for (text,) in rows.fetchall()]


def _with(values: dict[str, Any], **converted: Any) -> dict[str, Any]:
    return {**values, **{name: convert(values[name]) for name, convert in converted.items()}}


def _text(record: Record) -> str:
    # Not `asdict`: that copies whole conversations, and what a record holds is JSON already.
    return json.dumps({one.name: _plain(getattr(record, one.name)) for one in fields(record)})


def _plain(value: Any) -> Any:
    if isinstance(value, ChatAgent):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return value
