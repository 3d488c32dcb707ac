"""How chats look on the wire: `ChatDTO`, `ChatMessageDTO`, `ToolInvocationDTO` (wire protocol 5.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .chat import Chat, Message, ToolInvocation
from .ownership import owned
from .views import rfc3339, short_id


def chat_dto(chat: Chat, messages: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The chat with these messages."""
    return {
        **_base(chat),
        "status": chat.status.value,
        "name": chat.name,
        "description": chat.description,
        "output": chat.output,
        "notices": list(chat.notices),
        "context": dict(chat.context),
        "agent_id": chat.agent.agent_id,
        "agent_version_id": chat.agent.version_id,
        "agent": None,
        "agent_version": None,
        "parent_id": chat.parent_id,
        "parent": None,
        "children": [],
        "chat_messages": list(messages),
        "agent_data": {"plan_steps": [], "memory": {}, "always_allowed_tools": [], **chat.data},
    }


def message_dto(message: Message, invocations: Iterable[ToolInvocation] = ()) -> dict[str, Any]:
    """The message with its invocations, which come in any order."""
    return {
        **_base(message),
        "chat_id": message.chat_id,
        "chat": None,
        "order": message.order,
        "role": message.role,
        "status": message.status.value,
        "task_id": message.task_id,
        "content": [{**_NO_CONTENT, **part} for part in message.parts],
        "tools": None,
        "tool_call_id": None,
        "tool_invocations": [
            invocation_dto(one) for one in sorted(invocations, key=lambda one: one.position)
        ],
    }


_NO_CONTENT = {"error": None, "text": None, "image": None, "file": None, "tool_calls": None}


def invocation_dto(invocation: ToolInvocation) -> dict[str, Any]:
    """The invocation; arguments that were no JSON object are shown as none."""
    arguments = invocation.arguments
    return {
        **_base(invocation),
        "chat_message_id": invocation.message_id,
        "tool_invocation_id": invocation.call_id,
        "type": invocation.type,
        "display_name": invocation.display_name or invocation.name,
        "execution_id": invocation.execution_id,
        "function": {
            "name": invocation.name,
            "arguments": dict(arguments) if isinstance(arguments, Mapping) else {},
        },
        "status": invocation.status.value,
        "result": invocation.result,
        "data": invocation.data,
        "widget": invocation.widget,
    }


def _base(record: Chat | Message | ToolInvocation) -> dict[str, Any]:
    return {
        "id": record.id,
        "short_id": short_id(record.id),
        "created_at": rfc3339(record.created_at),
        "updated_at": rfc3339(record.updated_at),
        "deleted_at": None,
        **owned(),
    }


@dataclass(frozen=True)
class ChatEvent:
    """A line of a chat's stream; shared by everybody who follows the chat.

    Attributes:
        name: `chats` or `chat_messages`.
        record: What has changed.
        invocations: Those of a message.
    """

    name: str
    record: Chat | Message
    invocations: tuple[ToolInvocation, ...] = ()

    @classmethod
    def of_chat(cls, chat: Chat) -> ChatEvent:
        """The chat has changed."""
        return cls("chats", chat)

    @classmethod
    def of_message(cls, message: Message, invocations: Iterable[ToolInvocation]) -> ChatEvent:
        """The message, or one of its invocations, has."""
        return cls("chat_messages", message, tuple(invocations))

    @property
    def subject(self) -> str:
        """What it is about: a newer event about the same makes it superfluous."""
        return self.record.id

    @property
    def size(self) -> int:
        """About how many characters the event is."""
        return len(self.json)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The complete object; shared, so never to be changed."""
        if isinstance(self.record, Chat):
            return chat_dto(self.record)
        return message_dto(self.record, self.invocations)

    @cached_property
    def json(self) -> bytes:
        """The object as one line of JSON, without the newline."""
        return json.dumps(self.data).encode()
