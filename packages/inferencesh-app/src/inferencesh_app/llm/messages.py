"""The conversation of an input, in the shape chat completion APIs speak."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from .data_uris import file_to_base64_data_uri, image_to_base64_data_uri
from .models import ContextMessage, ContextMessageRole
from .tools import arguments_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inferencesh_core.file import File

    from .models import BaseLLMInput


def build_messages(
    input_data: BaseLLMInput,
    transform_user_message: Callable[[str], str] | None = None,
    include_reasoning: bool = False,
    file_mode: str = "base64",
    image_mode: str = "base64",
) -> list[dict[str, Any]]:
    """The system prompt, the context and the new message, for a chat completion; the input stays as it is.

    Neighbours of one role become one message, because several models insist on taking turns. Tool results
    never do: each answers a call of its own. The content of a message is text, or a list of parts if
    there are images or files.

    Args:
        input_data: The input; capability mixins may be missing.
        transform_user_message: Applied once to the text of each message of the user.
        include_reasoning: Send the reasoning of earlier answers along. An assistant message that opens
            the conversation answers nothing; its reasoning is left out.
        file_mode: `"url"` passes http(s) addresses of files on; anything else sends their content.
        image_mode: The same for images.
    """
    writer = _Writer(transform_user_message, file_mode, image_mode)
    turns = _turns([*input_data.context, new_message(input_data)])
    messages = [writer.message(turn) for turn in turns]
    if include_reasoning:
        _add_reasoning(messages[1:], turns[1:])
    return [*_system(input_data), *messages]


build_openai_messages = build_messages


def _system(input_data: BaseLLMInput) -> list[dict[str, Any]]:
    prompt = input_data.system_prompt
    return [{"role": ContextMessageRole.SYSTEM.value, "content": prompt}] if prompt else []


def new_message(input_data: BaseLLMInput) -> ContextMessage:
    """The message an input adds to its context; capability mixins may be missing."""
    # Nothing is validated a second time: that could copy or refuse what the input has accepted.
    return ContextMessage.model_construct(
        role=input_data.role,
        text=input_data.text,
        reasoning=getattr(input_data, "reasoning", None),
        images=getattr(input_data, "images", None),
        files=getattr(input_data, "files", None),
        tool_call_id=getattr(input_data, "tool_call_id", None),
    )


def _turns(messages: Iterable[ContextMessage]) -> list[list[ContextMessage]]:
    turns: list[list[ContextMessage]] = []
    for message in messages:
        if turns and turns[-1][0].role == message.role != ContextMessageRole.TOOL:
            turns[-1].append(message)
        else:
            turns.append([message])
    return turns


def _add_reasoning(messages: list[dict[str, Any]], turns: list[list[ContextMessage]]) -> None:
    index = 0
    for message, turn in zip(messages, turns, strict=True):
        reasoning = _joined(said.reasoning for said in turn)
        if reasoning and turn[0].role == ContextMessageRole.ASSISTANT:
            message.update(_reasoning(reasoning, index))
            index += 1


def _reasoning(text: str, index: int) -> dict[str, Any]:
    details = {"type": "reasoning.text", "text": text, "id": f"reasoning-text-{index}", "index": index}
    return {"reasoning": text, "reasoning_details": details}


def _joined(texts: Iterable[str | None]) -> str:
    return "\n\n".join(text for text in texts if text)


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    call = deepcopy(call)
    function = call.get("function") or {}
    if "arguments" in function:
        function["arguments"] = arguments_text(function["arguments"])
    return call


@dataclass(frozen=True)
class _Writer:
    """Writes messages as the options of `build_messages` say."""

    transform_user_message: Callable[[str], str] | None
    file_mode: str
    image_mode: str

    def message(self, turn: list[ContextMessage]) -> dict[str, Any]:
        role = ContextMessageRole(turn[0].role)
        message: dict[str, Any] = {"role": role.value, "content": self._content(role, turn)}
        if role is ContextMessageRole.TOOL:
            message["tool_call_id"] = turn[0].tool_call_id or ""
        if calls := [_tool_call(call) for said in turn for call in said.tool_calls or []]:
            message["tool_calls"] = calls
        return message

    def _content(self, role: ContextMessageRole, turn: list[ContextMessage]) -> str | list[dict[str, Any]]:
        text = _joined(said.text for said in turn)
        if role is ContextMessageRole.USER and self.transform_user_message:
            text = self.transform_user_message(text)
        images = chain.from_iterable(said.images or [] for said in turn)
        files = chain.from_iterable(said.files or [] for said in turn)
        parts = [*map(self._image, images), *map(self._file, files)]
        return [{"type": "text", "text": text}, *parts] if parts else text

    def _image(self, image: File) -> dict[str, Any]:
        url = _web_address(image, self.image_mode)
        url = url or image_to_base64_data_uri(image.path, image.content_type)
        return {"type": "image_url", "image_url": {"url": url}}

    def _file(self, file: File) -> dict[str, Any]:
        data = _web_address(file, self.file_mode)
        data = data or file_to_base64_data_uri(file.path, file.content_type)
        return {"type": "file", "file": {"filename": file.filename, "file_data": data}}


def _web_address(file: File, mode: str) -> str | None:
    is_web = (file.uri or "").lower().startswith(("http://", "https://"))
    return file.uri if mode == "url" and is_web else None
