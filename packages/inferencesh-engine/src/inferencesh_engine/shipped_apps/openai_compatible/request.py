"""From an input to a request for a chat completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_app.llm import ReasoningEffortEnum, build_messages, build_tools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import AppInput

# Sent only when they were given: several models refuse some of them.
_SAMPLING = ("temperature", "top_p", "max_tokens")


def request_of(app_input: AppInput, model: str, extra_body: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `chat.completions.create`."""
    request: dict[str, Any] = {
        "model": model,
        "messages": [_without_empty_texts(message) for message in build_messages(app_input)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "extra_body": {**extra_body, **_thinking_limit(app_input)},
    }
    request |= {name: getattr(app_input, name) for name in _SAMPLING if name in app_input.model_fields_set}
    if tools := build_tools(app_input.tools):
        request["tools"] = tools
    if app_input.reasoning_effort is not ReasoningEffortEnum.NONE:
        request["reasoning_effort"] = app_input.reasoning_effort.value
    return request


def _without_empty_texts(message: dict[str, Any]) -> dict[str, Any]:
    """The message as servers take it that refuse empty texts beside images or calls."""
    content = message["content"]
    if isinstance(content, list):
        return {**message, "content": [part for part in content if part.get("text") != ""]}
    return {**message, "content": content or None} if message.get("tool_calls") else message


def _thinking_limit(app_input: AppInput) -> dict[str, Any]:
    limit = app_input.reasoning_max_tokens
    return {} if limit is None else {"reasoning": {"max_tokens": limit}}
