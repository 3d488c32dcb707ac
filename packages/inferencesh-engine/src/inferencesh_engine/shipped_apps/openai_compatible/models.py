"""What the app is set up with, takes and gives."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from inferencesh_app import BaseAppSetup
from inferencesh_app.llm import (
    FileCapabilityMixin,
    ImageCapabilityMixin,
    LLMInput,
    LLMOutput,
    ReasoningCapabilityMixin,
    ReasoningMixin,
    ToolCallsMixin,
    ToolsCapabilityMixin,
)


class AppSetup(BaseAppSetup):
    """Which model, and where it is."""

    model: str = Field(description="the model, as the server calls it", examples=["gpt-4o-mini", "llama3.2"])
    base_url: str | None = Field(
        default=None,
        description="the API up to /v1; without, the engine's OPENAI_BASE_URL, else OpenAI",
        examples=["http://127.0.0.1:11434/v1", "https://openrouter.ai/api/v1"],
        pattern="^https?://",
    )
    max_retries: int = Field(default=2, ge=0, le=10, description="how often a failed request is repeated")
    timeout_seconds: float = Field(default=600.0, gt=0, description="the longest silence of the server")
    extra_body: dict[str, Any] = Field(
        default={}, description="more members of every request, for what only this server knows"
    )


class AppInput(
    ToolsCapabilityMixin, ReasoningCapabilityMixin, ImageCapabilityMixin, FileCapabilityMixin, LLMInput
):
    """A conversation, and the tools that may be called."""


class AppOutput(ToolCallsMixin, ReasoningMixin, LLMOutput):
    """The answer so far."""
