"""A chat with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .chat import Chat, ChatStatus, Message, MessageStatus, ToolInvocation
from .chat_views import ChatEvent

if TYPE_CHECKING:
    from .chat import Record

_ASSISTANT = "assistant"


@dataclass(eq=False)
class ChatState:
    """A chat, its messages and its invocations, both by id."""

    chat: Chat
    messages: dict[str, Message] = field(default_factory=dict)
    invocations: dict[str, ToolInvocation] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The chat's id."""
        return self.chat.id

    def in_order(self) -> list[Message]:
        """The messages that have their place, and then those that are queued."""
        queued = MessageStatus.QUEUED
        return sorted(self.messages.values(), key=lambda one: (one.status is queued, one.order))

    def queued(self) -> list[Message]:
        """Messages that wait for their turn."""
        return [one for one in self.in_order() if one.status is MessageStatus.QUEUED]

    def turn_messages(self) -> list[Message]:
        """The assistant's messages of the newest turn."""
        placed = [one for one in self.in_order() if one.status is not MessageStatus.QUEUED]
        asked = [index for index, one in enumerate(placed) if one.role != _ASSISTANT]
        return placed[asked[-1] + 1 :] if asked else placed

    def of_message(self, message_id: str) -> list[ToolInvocation]:
        """The invocations of a message, in the order the model asked for them."""
        found = [one for one in self.invocations.values() if one.message_id == message_id]
        return sorted(found, key=lambda one: one.position)

    def next_order(self) -> int:
        """The place of a message that comes after all that have theirs."""
        placed = [one.order for one in self.messages.values() if one.status is not MessageStatus.QUEUED]
        return max(placed, default=-1) + 1

    def event_of(self, message_id: str) -> ChatEvent:
        """The message as it is now."""
        return ChatEvent.of_message(self.messages[message_id], self.of_message(message_id))

    def events_of(self, records: Iterable[Record]) -> list[ChatEvent]:
        """What is told of a change of these.

        A turn's beginning is told before its messages, and its end after them (wire protocol 5.7).
        """
        messages: dict[str, None] = {}
        chats = []
        for record in records:
            if isinstance(record, Chat):
                chats.append(ChatEvent.of_chat(record))
            else:
                messages[record.id if isinstance(record, Message) else record.message_id] = None
        told = [self.event_of(message_id) for message_id in messages]
        return [*chats, *told] if self.chat.status is ChatStatus.BUSY else [*told, *chats]

    def put(self, record: Record) -> Record | None:
        """Let the record take its place; gives what was there."""
        if isinstance(record, Chat):
            earlier: Record = self.chat
            self.chat = record
            return earlier
        place: dict[str, Any] = self.messages if isinstance(record, Message) else self.invocations
        before: Record | None = place.get(record.id)
        place[record.id] = record
        return before

    def undo(self, record: Record, before: Record | None) -> None:
        """Let what was there before take the place of a record again."""
        if before is not None:
            self.put(before)
        elif isinstance(record, Message):
            self.messages.pop(record.id, None)
        else:
            self.invocations.pop(record.id, None)
