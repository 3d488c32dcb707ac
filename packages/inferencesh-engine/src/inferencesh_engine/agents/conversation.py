"""The conversation as a language model app takes it, and its answer as a chat keeps it (5.13, 6.7)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..domain.chat import Message, MessageStatus, Part, ToolInvocation

if TYPE_CHECKING:
    from .configuration import AgentConfig
    from .tools.runner import Offered

_ASSISTANT = "assistant"


@dataclass(frozen=True)
class ModelCall:
    """A tool call as the model made it; `arguments` is the text itself where that is no JSON object."""

    call_id: str
    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True)
class Answer:
    """What a model has said so far.

    Attributes:
        tokens: What it took; 0 when the model does not count.
    """

    parts: tuple[Part, ...] = ()
    calls: tuple[ModelCall, ...] = ()
    tokens: int = 0


def model_input(
    config: AgentConfig,
    messages: Sequence[Message],
    invocations: Mapping[str, Sequence[ToolInvocation]],
    offered: Iterable[Offered],
) -> dict[str, Any]:
    """The input of the core app that writes the next message; the last entry is what it answers.

    `messages` are in order and end before the message to be written; `invocations` are by message id.
    """
    entries = [entry for message in messages for entry in _entries(message, invocations.get(message.id, ()))]
    newest = entries.pop()
    asked = next(message for message in reversed(messages) if message.role != _ASSISTANT)
    prompt = {"system_prompt": config.system_prompt} if config.system_prompt else {}
    settings = {name: value for name, value in asked.settings.items() if name != "context"}
    tools = [_function(tool) for tool in offered]
    return {
        **_set(config.input),
        **prompt,
        **settings,
        "context": entries,
        **newest,
        **({"tools": tools} if tools else {}),
    }


def _set(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Zero as the size of the context would be valid, and useless (wire protocol 6.7)."""
    return {name: value for name, value in defaults.items() if not (name == "context_size" and not value)}


def _function(tool: Offered) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": described}


def _entries(message: Message, invocations: Sequence[ToolInvocation]) -> list[dict[str, Any]]:
    if message.status is MessageStatus.QUEUED:
        return []
    if message.role != _ASSISTANT:
        said = message.status is MessageStatus.READY
        return [*message.settings.get("context", ()), _entry(message)] if said else []
    calls = sorted(invocations, key=lambda one: one.position)
    if not calls:
        return [_entry(message)] if _texts(message, "text") else []
    asking = {**_entry(message), "tool_calls": [_call(one) for one in calls]}
    return [asking, *(_result(one) for one in calls)]


def _entry(message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": message.role, "text": _texts(message, "text")}
    if reasoning := _texts(message, "reasoning"):
        entry["reasoning"] = reasoning
    for kind, member in (("image", "images"), ("file", "files")):
        if uris := [part[kind] for part in message.parts if part["type"] == kind]:
            entry[member] = uris
    return entry


def _texts(message: Message, kind: str) -> str:
    return "\n\n".join(part["text"] for part in message.parts if part["type"] == kind and part["text"])


def _call(invocation: ToolInvocation) -> dict[str, Any]:
    # What was no JSON is not sent back: providers refuse it. The result says what was wrong.
    arguments = invocation.arguments if isinstance(invocation.arguments, Mapping) else {}
    function = {"name": invocation.name, "arguments": json.dumps(arguments)}
    return {"id": invocation.call_id, "type": "function", "function": function}


def _result(invocation: ToolInvocation) -> dict[str, Any]:
    return {"role": "tool", "text": invocation.result or "", "tool_call_id": invocation.call_id}


def answer_in(output: Any) -> Answer:
    """What a core app's output says, whole or partial; what is no answer says nothing."""
    if not isinstance(output, dict):
        return Answer()
    return Answer(
        parts=(
            *_text_part("reasoning", output.get("reasoning")),
            *_text_part("text", output.get("response")),
            *({"type": "image", "image": uri} for uri in _uris(output.get("images"))),
        ),
        calls=tuple(_model_calls(output.get("tool_calls"))),
        tokens=_tokens(output.get("usage")),
    )


def _text_part(kind: str, text: Any) -> tuple[Part, ...]:
    return ({"type": kind, "text": text},) if isinstance(text, str) and text else ()


def _uris(images: Any) -> list[str]:
    found = [one.get("uri") if isinstance(one, dict) else one for one in _list(images)]
    return [uri for uri in found if isinstance(uri, str) and uri]


def _model_calls(calls: Any) -> Iterable[ModelCall]:
    for index, call in enumerate(_list(calls)):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            call_id = str(call.get("id") or f"call_{index}")
            yield ModelCall(call_id, str(function.get("name") or ""), _arguments(function.get("arguments")))


def _arguments(given: Any) -> Mapping[str, Any] | str:
    """An object, which may come as text; no text at all means no arguments."""
    if given in (None, ""):
        return {}
    try:
        value = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return str(given)
    return value if isinstance(value, dict) else str(given)


def _tokens(usage: Any) -> int:
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total > 0 else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
