"""What `Agent.stream` gives: a turn piece by piece. Snapshots of messages are cumulative, these are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from inferencesh_core.flow.effects import emit

from .approvals import ApprovalRequest
from .chat import CLOSED, arguments_of, name_of, text_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from inferencesh_core.flow.effects import Emit
    from inferencesh_core.types import ChatDTO, ChatMessageDTO


@dataclass(frozen=True)
class TextDelta:
    """More of the answer.

    Attributes:
        text: What is new.
        message_id: The message it belongs to; a turn with tools has several.
        replaces: The message was written anew: ``text`` stands in place of all that came before.
    """

    text: str
    message_id: str = ""
    replaces: bool = False


@dataclass(frozen=True)
class ReasoningDelta:
    """More of the model's reasoning; the attributes are those of `TextDelta`."""

    text: str
    message_id: str = ""
    replaces: bool = False


@dataclass(frozen=True)
class ToolCalled:
    """The model calls a tool, whoever runs it.

    Attributes:
        id: The invocation.
        name: The tool.
        args: What it is called with.
        type: Its kind: ``client``, ``app``, ``http``, ….
    """

    id: str
    name: str
    args: dict[str, Any]
    type: str


@dataclass(frozen=True)
class ToolReturned:
    """A tool's call is over.

    Attributes:
        id: The invocation.
        name: The tool.
        result: What the model is told, ``None`` when there is nothing.
        status: ``completed``, ``failed`` or ``cancelled``.
    """

    id: str
    name: str
    result: str | None
    status: str


@dataclass(frozen=True)
class TurnDone:
    """The turn is over; always the last one.

    Attributes:
        message: The finished assistant message.
        chat: The chat; its ``output`` is what a finish call gave.
    """

    message: ChatMessageDTO
    chat: ChatDTO

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the turn: while the model wrote, or while a tool ran or waited."""
        invocations = self.message.get("tool_invocations") or ()
        return "cancelled" in {
            self.message.get("status"),
            *(each.get("status") for each in invocations if each),
        }


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCalled | ToolReturned | ApprovalRequest | TurnDone


def told(delta: Delta) -> Generator[Emit[Delta], Any, None]:
    """Hand a piece to whoever iterates."""
    return emit(delta)


class Deltas:
    """Turns snapshots of messages into what is new in each."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], str] = {}
        self._called: set[str] = set()
        self._returned: set[str] = set()

    def of(self, message: Mapping[str, Any]) -> Iterator[Delta]:
        """Give what a snapshot has that was not told yet."""
        if message.get("role", "assistant") != "assistant":
            return
        yield from self._texts(message, "reasoning", ReasoningDelta)
        yield from self._texts(message, "text", TextDelta)
        for invocation in message.get("tool_invocations") or ():
            yield from self._tools(invocation)

    def _texts(
        self, message: Mapping[str, Any], kind: str, delta: type[TextDelta | ReasoningDelta]
    ) -> Iterator[Delta]:
        key = (message["id"], kind)
        before, after = self._said.get(key, ""), text_of(message, kind)
        self._said[key] = after
        if after.startswith(before):
            if after != before:
                yield delta(after[len(before) :], message["id"])
        else:
            yield delta(after, message["id"], replaces=True)

    def _tools(self, invocation: Mapping[str, Any]) -> Iterator[Delta]:
        own, name = str(invocation.get("id")), name_of(invocation)
        if own not in self._called:
            self._called.add(own)
            yield ToolCalled(own, name, arguments_of(invocation) or {}, str(invocation.get("type") or ""))
        if own not in self._returned and invocation.get("status") in CLOSED:
            self._returned.add(own)
            yield ToolReturned(own, name, invocation.get("result"), invocation["status"])
