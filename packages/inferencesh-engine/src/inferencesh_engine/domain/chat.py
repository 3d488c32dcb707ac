"""Chats, messages and tool invocations, pure: frozen records, and tables of the moves they may make.

A *turn* begins with a user's message and ends when the chat is idle or completed: assistant messages, each
with the tool invocations the model asked for, one after the other. Messages posted meanwhile are queued.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

Part = Mapping[str, Any]


class ChatStatus(str, Enum):
    """Where a chat stands; after `IDLE` and `COMPLETED` the user speaks next."""

    IDLE = "idle"
    BUSY = "busy"
    AWAITING_INPUT = "awaiting_input"
    COMPLETED = "completed"

    @property
    def at_rest(self) -> bool:
        """Whether no turn is going on."""
        return self in (ChatStatus.IDLE, ChatStatus.COMPLETED)


class MessageStatus(str, Enum):
    """Where a message stands."""

    QUEUED = "queued"
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class InvocationStatus(str, Enum):
    """Where a tool invocation stands."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    AWAITING_INPUT = "awaiting_input"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether it stays like that."""
        return not _INVOCATION_MOVES[self]

    @property
    def waits(self) -> bool:
        """Whether a person has to do something."""
        return self in (InvocationStatus.AWAITING_INPUT, InvocationStatus.AWAITING_APPROVAL)


_CHAT_MOVES = {
    ChatStatus.IDLE: {ChatStatus.BUSY},
    ChatStatus.COMPLETED: {ChatStatus.BUSY},
    ChatStatus.BUSY: {ChatStatus.AWAITING_INPUT, ChatStatus.IDLE, ChatStatus.COMPLETED},
    ChatStatus.AWAITING_INPUT: {ChatStatus.BUSY, ChatStatus.IDLE},
}
_ENDS = {MessageStatus.READY, MessageStatus.FAILED, MessageStatus.CANCELLED}
_MESSAGE_MOVES: Mapping[MessageStatus, set[MessageStatus]] = {
    MessageStatus.QUEUED: {MessageStatus.PENDING, MessageStatus.READY, MessageStatus.CANCELLED},
    MessageStatus.PENDING: _ENDS,
    MessageStatus.READY: set(),
    MessageStatus.FAILED: set(),
    MessageStatus.CANCELLED: set(),
}
_OVER = {InvocationStatus.COMPLETED, InvocationStatus.FAILED, InvocationStatus.CANCELLED}
_INVOCATION_MOVES: Mapping[InvocationStatus, set[InvocationStatus]] = {
    InvocationStatus.PENDING: {InvocationStatus.IN_PROGRESS, InvocationStatus.AWAITING_APPROVAL, *_OVER},
    InvocationStatus.IN_PROGRESS: {InvocationStatus.AWAITING_INPUT, *_OVER},
    InvocationStatus.AWAITING_INPUT: {InvocationStatus.IN_PROGRESS, *_OVER},
    InvocationStatus.AWAITING_APPROVAL: {
        InvocationStatus.IN_PROGRESS,
        InvocationStatus.FAILED,
        InvocationStatus.CANCELLED,
    },
    InvocationStatus.COMPLETED: set(),
    InvocationStatus.FAILED: set(),
    InvocationStatus.CANCELLED: set(),
}


class IllegalMove(Exception):  # noqa: N818 - it is no failure of the program but of what was asked
    """A record was to change in a way that it cannot."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A conversation with one agent; times are Unix seconds.

    Attributes:
        agent: Who answers: the agent's reference or name, its configuration, and ids (None for one ad hoc).
        context: Values of the agent's context variables; fixed when the chat begins.
        parent_id: The chat whose agent started this one as a tool.
        depth: How many chats are above it.
        output: What `finish` was called with in the newest turn; None when it was not.
        notices: What the agent lacks in the newest turn: why tools are not offered, a line for each.
        data: What the agent keeps of it: plan steps, memory, and the tools that need no approval any more.
    """

    id: str
    created_at: float
    updated_at: float
    agent: ChatAgent
    status: ChatStatus = ChatStatus.IDLE
    name: str = ""
    description: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    parent_id: str | None = None
    depth: int = 0
    output: Any = None
    notices: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def to(self, status: ChatStatus, at: float, **changes: Any) -> Chat:
        """The chat after a move; it may also stay where it is."""
        if status is not self.status and status not in _CHAT_MOVES[self.status]:
            raise _illegal("chat", self.id, self.status, status)
        return replace(self, status=status, updated_at=max(at, self.updated_at), **changes)

    @property
    def always_allowed(self) -> list[str]:
        """Names of tools that need no approval any more."""
        return list(self.data.get("always_allowed_tools", ()))


@dataclass(frozen=True, kw_only=True)
class ChatAgent:
    """The agent of a chat, as it was when the chat began or the agent was changed.

    Attributes:
        ref: `namespace/name` of a template; empty for an agent made for this chat.
        config: The `AgentConfigInput`.
    """

    config: Mapping[str, Any]
    name: str = ""
    ref: str = ""
    agent_id: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one side says.

    Attributes:
        order: Its place in the chat, from 0; a queued one gets its final place when its turn comes.
        parts: `ChatMessageContent`s.
        task_id: The task of the core app that writes it; None for a user's, and before it has one.
        settings: For a user's message: members of `ChatTaskInput` that go to the core app.
        tokens: What writing it took, in tokens, as the core app counted them.
    """

    id: str
    chat_id: str
    created_at: float
    updated_at: float
    order: int
    role: str
    status: MessageStatus
    parts: tuple[Part, ...] = ()
    task_id: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0

    def to(self, status: MessageStatus, at: float, **changes: Any) -> Message:
        """The message after a move; it may also stay where it is."""
        if status is not self.status and status not in _MESSAGE_MOVES[self.status]:
            raise _illegal("message", self.id, self.status, status)
        return replace(self, status=status, updated_at=max(at, self.updated_at), **changes)

    @property
    def open(self) -> bool:
        """Whether it is still to be written."""
        return bool(_MESSAGE_MOVES[self.status])


@dataclass(frozen=True, kw_only=True)
class ToolInvocation:
    """One tool call of an assistant message.

    Attributes:
        position: Its place among the calls of its message, from 0.
        call_id: What the model calls it.
        arguments: What the model gave; the text itself where that was no JSON object.
        execution_id: The task or chat that runs it.
        ends_turn: Whether the turn is over with it.
    """

    id: str
    chat_id: str
    message_id: str
    created_at: float
    updated_at: float
    position: int
    call_id: str
    name: str
    type: str
    arguments: Mapping[str, Any] | str
    display_name: str = ""
    status: InvocationStatus = InvocationStatus.PENDING
    execution_id: str | None = None
    result: str | None = None
    data: Any = None
    widget: Mapping[str, Any] | None = None
    ends_turn: bool = False

    def to(self, status: InvocationStatus, at: float, **changes: Any) -> ToolInvocation:
        """The invocation after a move; it may also stay where it is, unless that is an end."""
        if status not in _INVOCATION_MOVES[self.status] and (status is not self.status or status.terminal):
            raise _illegal("tool invocation", self.id, self.status, status)
        return replace(self, status=status, updated_at=max(at, self.updated_at), **changes)


Record: TypeAlias = Chat | Message | ToolInvocation


def status_during(invocations: Iterable[ToolInvocation]) -> ChatStatus:
    """Where a chat stands whose turn has come to these: it waits when there is nothing else left to do."""
    unfinished = [one.status for one in invocations if not one.status.terminal]
    waiting = bool(unfinished) and all(status.waits for status in unfinished)
    return ChatStatus.AWAITING_INPUT if waiting else ChatStatus.BUSY


def _illegal(kind: str, identifier: str, status: Enum, wanted: Enum) -> IllegalMove:
    return IllegalMove(f"{kind} {identifier} is {status.value} and cannot become {wanted.value}")
