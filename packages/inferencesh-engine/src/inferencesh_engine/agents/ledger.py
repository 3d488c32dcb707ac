"""Chats that are looked at or at work: each change is decided here, committed, and only then told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..domain.chat import ToolInvocation
from ..domain.chat_state import ChatState
from ..domain.problems import not_found
from ..events import EventBus
from ..store import chats as rows
from ..store.writer import Write

if TYPE_CHECKING:
    import sqlite3

    from ..config import EngineConfig
    from ..domain.chat import Chat, Message, Record
    from ..domain.chat_views import ChatEvent
    from ..store import Store

_log = logging.getLogger("inferencesh.engine")


@dataclass(eq=False)
class LiveChat(ChatState):
    """A chat in memory: the newest state decided.

    Attributes:
        told: The newest state on disk, which everybody is shown, with the text that is being written.
        turn: What answers the messages; None when nobody does.
        stopping: Done when the turn has been stopped; None while nobody has asked for that.
        forgotten: Whether it has been deleted.
        moved: Set by each change of an invocation.
    """

    told: ChatState = field(init=False)
    turn: asyncio.Task[None] | None = None
    stopping: asyncio.Future[None] | None = None
    forgotten: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.told = ChatState(self.chat, dict(self.messages), dict(self.invocations))


class ChatLedger:
    """The chats of one engine. What nobody holds is read from the store when it is asked for."""

    def __init__(self, config: EngineConfig, store: Store) -> None:
        self.bus: EventBus[ChatEvent] = EventBus(config.max_stream_backlog_bytes)
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._live: WeakValueDictionary[str, LiveChat] = WeakValueDictionary()

    def find(self, chat_id: str) -> LiveChat:
        """The chat; raises Problem 404."""
        live = self._live.get(chat_id)
        if live is None:
            kept = self._store.chat(chat_id)
            if kept is None:
                raise not_found("chat", chat_id)
            live = self._live[chat_id] = LiveChat(
                kept.chat, {one.id: one for one in kept.messages}, {one.id: one for one in kept.invocations}
            )
        return live

    def newest(self, chat: Chat) -> Chat:
        """A chat read from the store, or what it has become since."""
        live = self._live.get(chat.id)
        return live.told.chat if live is not None else chat

    def find_message(self, message_id: str) -> tuple[LiveChat, Message]:
        """The message and its chat; raises Problem 404."""
        live = self._of_record("chat_messages", message_id, "message")
        return live, live.messages[message_id]

    def find_invocation(self, invocation_id: str) -> tuple[LiveChat, ToolInvocation]:
        """The invocation and its chat; raises Problem 404."""
        live = self._of_record("tool_invocations", invocation_id, "tool invocation")
        return live, live.invocations[invocation_id]

    def _of_record(self, table: str, record_id: str, kind: str) -> LiveChat:
        chat_id = self._store.chat_of(table, record_id)
        if chat_id is None:
            raise not_found(kind, record_id)
        return self.find(chat_id)

    def begin(self, chat: Chat) -> LiveChat:
        """A chat that is new."""
        live = self._live[chat.id] = LiveChat(chat)
        return live

    def show(self, live: LiveChat, message: Message) -> None:
        """Tell what is being written; it is not stored before the message is changed."""
        live.put(message)
        live.told.put(message)
        self.bus.publish(live.id, live.event_of(message.id))

    def change(
        self,
        live: LiveChat,
        *records: Record,
        also: Callable[[sqlite3.Connection], None] | None = None,
        refusable: bool = False,
    ) -> asyncio.Future[None]:
        """Let the records take the place of what they were: at once in memory, on disk when this is awaited.

        `also` is written in the same transaction. With `refusable` a full disk undoes it and raises Problem
        507; without, it waits for room.
        """
        if live.forgotten:
            raise not_found("chat", live.id)
        before = [(record, live.put(record)) for record in records]
        events = live.events_of(records)
        done: asyncio.Future[None] = self._loop.create_future()
        settle = partial(self._settle, live, before, events, done)
        self._store.writer.submit(Write(partial(_save, records, also), settle, refusable=refusable))
        if any(isinstance(record, ToolInvocation) for record in records):
            live.moved.set()
        return done

    def _settle(
        self,
        live: LiveChat,
        before: list[tuple[Record, Record | None]],
        events: list[ChatEvent],
        done: asyncio.Future[None],
        _result: None,
        error: Exception | None,
    ) -> None:
        if error is not None:
            for record, earlier in reversed(before):
                live.undo(record, earlier)
            if done.cancelled():
                _log.error("chat %s: a change was not stored: %s", live.id, error)
            else:
                done.set_exception(error)
            return
        for record, _ in before:
            live.told.put(record)
        for event in events:
            self.bus.publish(live.id, event)
        if not done.cancelled():
            done.set_result(None)

    async def forget(self, live: LiveChat) -> None:
        """Delete the chat; it takes no change any more, and those who follow it are left."""
        live.forgotten = True
        await self._store.writer.write(partial(rows.delete, chat_id=live.id))
        self._live.pop(live.id, None)
        self.bus.end(live.id)

    def close(self) -> None:
        """The engine stops: nobody follows any more."""
        self.bus.close()


def _save(
    records: tuple[Record, ...], also: Callable[[sqlite3.Connection], None] | None, db: sqlite3.Connection
) -> None:
    rows.save(db, records)
    if also is not None:
        also(db)
