"""What the app answers when no script says it: the tool that fits the message, else its echo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .facts import Facts
from .filling import NothingFits, filled, known_from
from .reply import Reply, ToolUse
from .script import FINISH
from .words import FUNCTION_WORDS, stems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .conversation import Conversation

# What a word of the message counts that is in a tool's name, and one in its description or parameters.
_IN_NAME, _ELSEWHERE = 2, 1
_NAMED_OUTRIGHT = 100
_ENOUGH = 2

# Texts that `finish` may ask for and that are what would be said without it.
_ANSWERS = ("result", "answer", "response", "summary")


@dataclass(frozen=True)
class Tool:
    """A tool that is offered."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Tool:
        """The tool in a definition, bare or as `{"type": "function", "function": ...}`."""
        function = definition.get("function") or definition
        return cls(
            str(function.get("name") or ""),
            str(function.get("description") or ""),
            function.get("parameters") or {},
        )

    def fit(self, message: str) -> int:
        """How well it fits a message; 0 is not at all."""
        if self.name and re.search(rf"\b{re.escape(self.name)}\b", message, re.IGNORECASE):
            return _NAMED_OUTRIGHT
        said = stems(message)
        described = " ".join([self.description, *self._words_of_parameters()])
        about = _IN_NAME * len(said & stems(self.name)) + _ELSEWHERE * len(said & stems(described))
        asked = stems(message, FUNCTION_WORDS) & stems(f"{self.name} {described}", FUNCTION_WORDS) - said
        has_numbers = len(Facts(message).numbers) >= self._numbers_wanted() > 0
        return about and about + _ELSEWHERE * (bool(asked) + has_numbers)

    def _words_of_parameters(self) -> Iterator[str]:
        for name, part in self._properties():
            yield name
            yield str(part.get("description") or "")
            yield from map(str, part.get("enum") or [])

    def _numbers_wanted(self) -> int:
        required = self.parameters.get("required") or []
        kinds = [part.get("type") for name, part in self._properties() if name in required]
        return sum(kind in {"number", "integer"} for kind in kinds)

    def _properties(self) -> list[tuple[str, dict[str, Any]]]:
        properties = self.parameters.get("properties") or {}
        return [(name, part) for name, part in properties.items() if isinstance(part, dict)]


def chosen_reply(conversation: Conversation, tools: Sequence[Tool]) -> Reply:
    """The answer that plain rules give."""
    finish = next((tool for tool in tools if tool.name == FINISH), None)
    others = [tool for tool in tools if tool is not finish]
    said = Reply(text=_reported(conversation) if conversation.results else _echo(conversation))
    if not conversation.results and (called := _called(others, conversation)) is not None:
        return called
    if finish is None or FINISH in conversation.called:
        return said
    return _finished(finish, conversation, said.text) or said


def arguments_for(name: str, conversation: Conversation, tools: Sequence[Tool]) -> dict[str, Any]:
    """Arguments for a tool, from the message; none when it is not offered or the message lacks them."""
    parameters = next((tool.parameters for tool in tools if tool.name == name), {})
    try:
        return filled(parameters, conversation.text)
    except NothingFits:
        return {}


def _called(tools: Sequence[Tool], conversation: Conversation) -> Reply | None:
    fits = {tool.name: tool.fit(conversation.text) for tool in tools}
    for tool in sorted(tools, key=lambda tool: -fits[tool.name]):
        if fits[tool.name] < _ENOUGH:
            break
        try:
            use = ToolUse(tool.name, filled(tool.parameters, conversation.text))
        except NothingFits:
            continue
        return Reply(reasoning=f"The message fits {tool.name}.", calls=(use,))
    return None


def _finished(finish: Tool, conversation: Conversation, said: str) -> Reply | None:
    known = dict.fromkeys(_ANSWERS, said) | known_from([result for _, result in conversation.results])
    try:
        values = filled(finish.parameters, conversation.text, known=known, all_of_it=True)
    except NothingFits:
        return None
    return Reply(reasoning="The message has the values asked for.", calls=(ToolUse(FINISH, values),))


def _reported(conversation: Conversation) -> str:
    return "; ".join(f"{name} says: {result}" for name, result in conversation.results)


def _echo(conversation: Conversation) -> str:
    attached = f" (with {', '.join(conversation.attached)})" if conversation.attached else ""
    return f"You said: {conversation.text}{attached}"
