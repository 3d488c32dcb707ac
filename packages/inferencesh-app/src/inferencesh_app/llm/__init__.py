"""What apps around language models share: their models, message building and streaming."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

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
    __getattr__ = lazy_names(
        __name__,
        {
            ".data_uris": "file_to_base64_data_uri image_to_base64_data_uri",
            ".messages": "build_messages build_openai_messages",
            ".models": (
                "BaseLLMInput BaseLLMOutput ContextMessage ContextMessageRole FileCapabilityMixin "
                "ImageCapabilityMixin ImagesMixin LLMInput LLMOutput LLMUsage LLMUsageMixin Message "
                "ReasoningCapabilityMixin ReasoningEffortEnum ReasoningMixin ToolCallsMixin "
                "ToolsCapabilityMixin"
            ),
            ".streaming": "StreamResponse stream_generate",
            ".timing": "timing_context",
            ".tools": "build_tools",
            ".transformer": "ResponseState ResponseTransformer",
        },
    )

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


def __dir__() -> list[str]:
    return __all__
