"""A chat as its stream and its record tell it: lines in, changes out. Pure.

A turn begins with a message and ends when the chat is idle or completed. An idle line alone proves nothing:
it may be of the time before the turn. It counts once the turn's own assistant message was seen finished;
otherwise the record has to be asked, and what that says counts if the turn had been seen under way.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from inferencesh_core.errors import APIError
from inferencesh_core.json_codec import loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferencesh_core.types import ChatDTO, ChatMessageDTO, ToolInvocationDTO

_OVER = frozenset({"idle", "completed"})
_FINISHED = frozenset({"ready", "failed", "cancelled"})
CLOSED = frozenset({"completed", "failed", "cancelled"})
"""Where an invocation stays."""

_OF_RUN = {
    "submitted": "busy",
    "working": "busy",
    "input_required": "awaiting_input",
    "auth_required": "awaiting_input",
}


@dataclass(frozen=True)
class Turn:
    """A message to an agent, as the server took it.

    Attributes:
        chat_id: The chat it went to.
        answer: The turn's first assistant message as it was then, pending and empty.
    """

    chat_id: str
    answer: ChatMessageDTO

    @classmethod
    def of(cls, reply: Any) -> Turn:
        """Read the answer to ``POST /agents/run``.

        Raises:
            APIError: it is none.
        """
        answer = reply.get("assistant_message") if isinstance(reply, dict) else None
        if not isinstance(answer, dict) or not answer.get("chat_id"):
            raise APIError(200, f"the server's answer to a message is no message: {reply!r:.80}")
        return cls(answer["chat_id"], answer)  # type: ignore[arg-type]  # as the API gives it

    def has(self, message: ChatMessageDTO) -> bool:
        """Tell whether a message is of this turn, or of a later one; one without an order is."""
        order, first = message.get("order"), self.answer.get("order")
        return order is None or first is None or order >= first or message.get("id") == self.answer.get("id")


class Change(NamedTuple):
    """What one line, or one look at the record, had of news; a line without any is a change too.

    Attributes:
        chat: The whole chat, ``None`` when it is as it was.
        messages: The messages that are new or changed, whole.
    """

    chat: ChatDTO | None = None
    messages: tuple[ChatMessageDTO, ...] = ()


class ChatView:
    """The latest known state of one chat.

    Args:
        chat_id: Whose stream it is.
        turn: What is waited for; ``None`` waits for the chat to be idle.
    """

    def __init__(self, chat_id: str, turn: Turn | None = None) -> None:
        self.chat_id = chat_id
        self.turn = turn
        self.chat: ChatDTO | None = None
        self.is_over = False
        self.is_in_doubt = False
        """The chat is said to be idle, which is yet to be proved: look at its record."""
        self._messages: dict[str, ChatMessageDTO] = {}
        self._was_busy = False

    @property
    def waits(self) -> bool:
        """Whether the chat goes on only when somebody outside the server acts."""
        return standing(self.chat) == "awaiting_input"

    def accept(self, line: Any) -> Change:
        """Take in a line of the stream."""
        if self.is_over or not isinstance(line, dict) or not isinstance(line.get("data"), dict):
            return Change()
        data, fields = line["data"], line.get("fields")
        if line.get("event") == "chats":
            change = self._take(_whole(data, fields, self.chat), data.get("chat_messages") or ())
            self._judge()
            return change
        if line.get("event") == "chat_messages":
            return Change(None, self._taken([_whole(data, fields, self._messages.get(data.get("id", "")))]))
        return Change()

    def reconcile(self, chat: Any, messages: Iterable[Any]) -> Change:
        """Take in what the record says."""
        told = [message for message in messages if isinstance(message, dict)]
        change = self._take(chat, told)
        self.is_in_doubt = False
        self._judge()
        if self.is_in_doubt:
            self.is_in_doubt, self.is_over = False, self._was_busy or not told
        return change

    def messages(self) -> list[ChatMessageDTO]:
        """Give what was said in the turn, in order, without what the user said."""
        said = [message for message in self._messages.values() if self.concerns(message)]
        return sorted(said, key=_order)

    def concerns(self, message: ChatMessageDTO) -> bool:
        """Tell whether a message is one to tell of: of the turn, and not the user's own."""
        return message.get("role") != "user" and (self.turn is None or self.turn.has(message))

    def answer(self) -> ChatMessageDTO | None:
        """Give the last assistant message of the turn, ``None`` before there is one.

        One that is queued belongs to a message that somebody sent meanwhile, unless it is the turn's own.
        """
        said = [message for message in self.messages() if message.get("role", "assistant") == "assistant"]
        said = [each for each in said if each.get("status") != "queued"] or said[:1]
        return said[-1] if said else None

    def due(self) -> list[ToolInvocationDTO]:
        """Give the invocations somebody outside has to act on now, in order.

        Those that come together are given together: while a client tool of the same message has yet to be
        offered, its siblings wait, unless the chat itself says that it waits for them. Those of a turn before
        count too: a message is queued behind it.
        """
        found: list[ToolInvocationDTO] = []
        for message in sorted(self._messages.values(), key=_order):
            invocations = [each for each in message.get("tool_invocations") or () if each]
            unoffered = any(kind_of(each) == "client" and _status(each) == "pending" for each in invocations)
            if self.waits or not unoffered:
                found += filter(is_open, invocations)
        return found

    def _take(self, chat: Any, messages: Iterable[Any]) -> Change:
        if chat.get("id", self.chat_id) != self.chat_id:
            return Change()
        news = None if self.chat is not None and _bare(chat) == _bare(self.chat) else chat
        self.chat = chat
        return Change(news, self._taken(messages))

    def _taken(self, messages: Iterable[Any]) -> tuple[ChatMessageDTO, ...]:
        return tuple(message for message in messages if self._is_news(message))

    def _is_news(self, message: Any) -> bool:
        if not message.get("id") or message.get("chat_id", self.chat_id) != self.chat_id:
            return False
        known = self._messages.get(message["id"])
        if message == known or (known is not None and is_older(message, known)):
            return False
        self._messages[message["id"]] = message
        return True

    def _judge(self) -> None:
        """Decide what the present status of the chat means for the turn."""
        status = standing(self.chat)
        if status not in _OVER:
            self._was_busy = self._was_busy or status is not None
            self.is_in_doubt = False
        elif self.turn is None or self._is_proved(self.turn):
            self.is_over = True
        else:
            self.is_in_doubt = self._own(self.turn).get("status") != "queued"

    def _own(self, turn: Turn) -> ChatMessageDTO:
        return self._messages.get(turn.answer.get("id", ""), turn.answer)

    def _is_proved(self, turn: Turn) -> bool:
        own = self._own(turn)
        said = self.messages()
        if own.get("status") == "queued" or any(_has_unclosed(message) for message in said):
            return False
        later = [message for message in said if _order(message) > _order(own)]
        return any(
            message.get("role") == "assistant" and message.get("status") in _FINISHED
            for message in (own, *later)
        )


def standing(chat: Mapping[str, Any] | None) -> str | None:
    """Give the status of a chat, by its run where the server tells of one; ``None`` when it does not say."""
    if chat is None:
        return None
    run = chat.get("active_run")
    if isinstance(run, dict) and run.get("state"):
        return _OF_RUN.get(run["state"], "idle")
    return chat.get("status")


def is_open(invocation: Mapping[str, Any]) -> bool:
    """Tell whether an invocation waits for somebody outside the server."""
    status = _status(invocation)
    return status in {"awaiting_input", "awaiting_approval"} or (
        status == "in_progress" and kind_of(invocation) == "client"
    )


def kind_of(invocation: Mapping[str, Any]) -> str | None:
    """Give the type of the tool that is invoked."""
    return invocation.get("type")


def arguments_of(invocation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the arguments, which may come as text; ``None`` when they are no JSON object.

    They are a copy: who is shown them may change them, and what the chat knows stays as it is.
    """
    arguments = (invocation.get("function") or {}).get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            return None
    if arguments is None:
        return {}
    return deepcopy(arguments) if isinstance(arguments, dict) else None


def name_of(invocation: Mapping[str, Any]) -> str:
    """Give the name of the tool that is invoked."""
    return str((invocation.get("function") or {}).get("name") or "")


def text_of(message: Mapping[str, Any], kind: str = "text") -> str:
    """Give the text of a message so far, or its reasoning."""
    parts = [part for part in message.get("content") or () if part.get("type") == kind]
    return "".join(part.get(kind) or part.get("text") or "" for part in parts)


def is_older(message: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a snapshot of a message is of before the known one: things in it never go back."""
    if known.get("status") in _FINISHED and message.get("status") not in _FINISHED:
        return True
    closed = {each.get("id") for each in known.get("tool_invocations") or () if _status(each) in CLOSED}
    now = {each.get("id"): _status(each) for each in message.get("tool_invocations") or ()}
    if any(now.get(each) not in CLOSED for each in closed):
        return True
    said, saying = text_of(known), text_of(message)
    return message.get("status") == "pending" and len(saying) < len(said) and said.startswith(saying)


def _status(invocation: Mapping[str, Any]) -> str | None:
    return invocation.get("status")


def _order(message: Mapping[str, Any]) -> int:
    return message.get("order") or 0


def _has_unclosed(message: Mapping[str, Any]) -> bool:
    return any(_status(each) not in CLOSED for each in message.get("tool_invocations") or ())


def _bare(chat: Mapping[str, Any]) -> dict[str, Any]:
    """Give a chat without its messages, which the stream leaves out and the record has."""
    return {name: value for name, value in chat.items() if name != "chat_messages"}


def _whole(data: dict[str, Any], fields: Any, known: Mapping[str, Any] | None) -> Any:
    """Give a record, of which a line may have told the changed fields only."""
    if not isinstance(fields, list) or known is None:
        return data
    return {**known, **{name: data[name] for name in fields if name in data}}
