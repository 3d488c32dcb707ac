"""Inputs and outputs of language model apps, and mixins for what a model can do."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, Field

from inferencesh_core.file import File

from ..base import BaseAppInput, BaseAppOutput

DEFAULT_SYSTEM_PROMPT = "you are a helpful assistant that can answer questions and help with tasks."

# What a model is told of tools and says to them may look like a file, and is none.
_NO_FILES: dict[str, Any] = {"x-holds-files": False}


class ContextMessageRole(str, Enum):
    """Who says a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class ReasoningEffortEnum(str, Enum):
    """How long a model may think before it answers."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    NONE = "none"


class Message(BaseAppInput):
    """A message that is text alone."""

    role: ContextMessageRole
    content: str


class ContextMessage(BaseAppInput):
    """An earlier message of the conversation."""

    role: ContextMessageRole = Field(description="the role of the message. user, assistant, system, or tool")
    text: str = Field(description="the text content of the message")
    reasoning: str | None = Field(default=None, description="the reasoning content of the message")
    images: list[File] | None = Field(default=None, description="the images of the message")
    files: list[File] | None = Field(default=None, description="the files of the message")
    tool_calls: list[dict[str, Any]] | None = Field(
        default=None, description="the tool calls of the message", json_schema_extra=_NO_FILES
    )
    tool_call_id: str | None = Field(default=None, description="the tool call id for tool role messages")


class BaseLLMInput(BaseAppInput):
    """What every language model takes: the conversation so far, the new message, sampling."""

    system_prompt: str = Field(
        default=DEFAULT_SYSTEM_PROMPT,
        description="the system prompt to use for the model",
        examples=[DEFAULT_SYSTEM_PROMPT],
    )
    context: list[ContextMessage] = Field(
        default=[],
        description="the context to use for the model",
        examples=[
            [
                {"role": "user", "text": "What is the capital of France?"},
                {"role": "assistant", "text": "The capital of France is Paris."},
            ]
        ],
    )
    role: ContextMessageRole = Field(
        default=ContextMessageRole.USER, description="the role of the input text"
    )
    text: str = Field(
        description="the input text to use for the model",
        examples=["write a haiku about artificial general intelligence"],
    )
    temperature: float = Field(default=0.7, ge=0.0, le=1.0)
    top_p: float = Field(default=0.95, ge=0.0, le=1.0)
    context_size: int = Field(default=4096)
    max_tokens: int = Field(default=64000)


class ImageCapabilityMixin(BaseModel):
    """Input of a model that sees images."""

    images: list[File] | None = Field(default=None, description="the images to use for the model")


class FileCapabilityMixin(BaseModel):
    """Input of a model that reads files."""

    files: list[File] | None = Field(default=None, description="the files to use for the model")


class ReasoningCapabilityMixin(BaseModel):
    """Input of a model that reasons."""

    reasoning: str | None = Field(default=None, description="the reasoning input of the message")
    reasoning_effort: ReasoningEffortEnum = Field(
        default=ReasoningEffortEnum.NONE, description="enable step-by-step reasoning"
    )
    reasoning_max_tokens: int | None = Field(
        default=None, description="the maximum number of tokens to use for reasoning"
    )


class ToolsCapabilityMixin(BaseModel):
    """Input of a model that calls tools."""

    tools: list[dict[str, Any]] | None = Field(
        default=None, description="tool definitions for function calling", json_schema_extra=_NO_FILES
    )
    tool_call_id: str | None = Field(default=None, description="the tool call id for tool role messages")


class LLMInput(BaseLLMInput):
    """Input of a model with text alone; add capability mixins for more."""


class LLMUsage(BaseAppOutput):
    """What an answer took: tokens as the model counted them, times in seconds."""

    stop_reason: str = ""
    time_to_first_token: float = 0.0
    tokens_per_second: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    reasoning_tokens: int = 0
    reasoning_time: float = 0.0


class BaseLLMOutput(BaseAppOutput):
    """What every language model gives: its answer."""

    response: str = Field(description="the generated text response")


class LLMUsageMixin(BaseModel):
    """Output of a model that counts tokens."""

    usage: LLMUsage | None = Field(default=None, description="token usage statistics")


class ReasoningMixin(BaseModel):
    """Output of a model that reasons."""

    reasoning: str | None = Field(default=None, description="the reasoning output of the model")


class ToolCallsMixin(BaseModel):
    """Output of a model that calls tools."""

    tool_calls: list[dict[str, Any]] | None = Field(
        default=None, description="tool calls for function calling", json_schema_extra=_NO_FILES
    )


class ImagesMixin(BaseModel):
    """Output of a model that draws."""

    images: list[File] | None = Field(default=None, description="the images of the output")


class LLMOutput(LLMUsageMixin, BaseLLMOutput):
    """Output of a model with text and usage; add mixins for more."""
