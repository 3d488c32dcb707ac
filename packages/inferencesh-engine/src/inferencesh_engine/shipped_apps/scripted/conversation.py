"""A conversation as far as an answer depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferencesh_app.llm import ContextMessageRole
from inferencesh_app.llm.messages import new_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferencesh_app.llm import ContextMessage, LLMInput

_UNKNOWN_TOOL = "the tool"


@dataclass(frozen=True)
class Conversation:
    """What has been said and done.

    Attributes:
        text: What the user said last.
        attached: The names of the files and images that came with it.
        called: The tools called since then.
        results: Names and results of the tools that have answered since anybody spoke last.
        answers: How often the model has answered in all.
        calls: How many calls it has made in all.
    """

    text: str
    attached: tuple[str, ...]
    called: tuple[str, ...]
    results: tuple[tuple[str, str], ...]
    answers: int
    calls: int

    @property
    def result(self) -> str:
        """The newest result; empty when no tool has answered."""
        return self.results[-1][1] if self.results else ""


def conversation_of(app_input: LLMInput) -> Conversation:
    """The conversation in an input: its context, then its own message."""
    messages = [*app_input.context, new_message(app_input)]
    user = _last(messages, ContextMessageRole.USER)
    assistant = _last(messages, ContextMessageRole.ASSISTANT)
    asked = messages[user] if user >= 0 else None
    names = {call.get("id"): _name(call) for message in messages for call in message.tool_calls or []}
    return Conversation(
        text=asked.text if asked else "",
        attached=_attached(asked),
        called=tuple(_name(call) for message in messages[user + 1 :] for call in message.tool_calls or []),
        results=tuple(
            (names.get(message.tool_call_id, _UNKNOWN_TOOL), message.text)
            for message in messages[max(user, assistant) + 1 :]
            if message.role == ContextMessageRole.TOOL
        ),
        answers=sum(message.role == ContextMessageRole.ASSISTANT for message in messages),
        calls=sum(len(message.tool_calls or []) for message in messages),
    )


def _last(messages: Sequence[ContextMessage], role: ContextMessageRole) -> int:
    places = [place for place, message in enumerate(messages) if message.role == role]
    return places[-1] if places else -1


def _name(call: dict[str, Any]) -> str:
    return str((call.get("function") or {}).get("name") or _UNKNOWN_TOOL)


def _attached(message: ContextMessage | None) -> tuple[str, ...]:
    files = [*(message.images or []), *(message.files or [])] if message else []
    return tuple(file.filename or "a file" for file in files)
