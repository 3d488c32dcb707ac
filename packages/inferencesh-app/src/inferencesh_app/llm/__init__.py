"""What apps around language models share: their models, message building and streaming."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data_uris import file_to_base64_data_uri, image_to_base64_data_uri
    from .messages import build_messages, build_openai_messages
    from .models import (
        BaseLLMInput,
        BaseLLMOutput,
        ContextMessage,
        ContextMessageRole,
        FileCapabilityMixin,
        ImageCapabilityMixin,
        ImagesMixin,
        LLMInput,
        LLMOutput,
        LLMUsage,
        LLMUsageMixin,
        Message,
        ReasoningCapabilityMixin,
        ReasoningEffortEnum,
        ReasoningMixin,
        ToolCallsMixin,
        ToolsCapabilityMixin,
    )
    from .streaming import StreamResponse, stream_generate
    from .timing import timing_context
    from .tools import build_tools
    from .transformer import ResponseState, ResponseTransformer
else:
    _HOME = {
        "BaseLLMInput": "models",
        "BaseLLMOutput": "models",
        "ContextMessage": "models",
        "ContextMessageRole": "models",
        "FileCapabilityMixin": "models",
        "ImageCapabilityMixin": "models",
        "ImagesMixin": "models",
        "LLMInput": "models",
        "LLMOutput": "models",
        "LLMUsage": "models",
        "LLMUsageMixin": "models",
        "Message": "models",
        "ReasoningCapabilityMixin": "models",
        "ReasoningEffortEnum": "models",
        "ReasoningMixin": "models",
        "ResponseState": "transformer",
        "ResponseTransformer": "transformer",
        "StreamResponse": "streaming",
        "ToolCallsMixin": "models",
        "ToolsCapabilityMixin": "models",
        "build_messages": "messages",
        "build_openai_messages": "messages",
        "build_tools": "tools",
        "file_to_base64_data_uri": "data_uris",
        "image_to_base64_data_uri": "data_uris",
        "stream_generate": "streaming",
        "timing_context": "timing",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted(_HOME)


__all__ = [
    "BaseLLMInput",
    "BaseLLMOutput",
    "ContextMessage",
    "ContextMessageRole",
    "FileCapabilityMixin",
    "ImageCapabilityMixin",
    "ImagesMixin",
    "LLMInput",
    "LLMOutput",
    "LLMUsage",
    "LLMUsageMixin",
    "Message",
    "ReasoningCapabilityMixin",
    "ReasoningEffortEnum",
    "ReasoningMixin",
    "ResponseState",
    "ResponseTransformer",
    "StreamResponse",
    "ToolCallsMixin",
    "ToolsCapabilityMixin",
    "build_messages",
    "build_openai_messages",
    "build_tools",
    "file_to_base64_data_uri",
    "image_to_base64_data_uri",
    "stream_generate",
    "timing_context",
]
