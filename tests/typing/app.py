"""An app as its authors write it; read by type checkers, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pydantic import Field
from typing_extensions import assert_type

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup, File, LLMInput, Metadata
from inferencesh.models import OutputMeta
from inferencesh.models.llm import LLMOutput


class Setup(BaseAppSetup):
    model: str = "small"


class Input(BaseAppInput):
    image: File
    masks: list[File] = []
    notes: File | None = None
    width: int = Field(default=256, ge=1)


class Output(BaseAppOutput):
    image: File


class App(BaseApp):
    async def setup(self, setup: Setup, metadata: Metadata) -> None:
        assert_type(setup.model, str)
        assert_type(metadata.app_id, "str | None")

    async def run(self, input_data: Input, metadata: Metadata) -> AsyncGenerator[Output, None]:
        assert_type(input_data.image, File)
        assert_type(input_data.image.path, str)
        assert_type(input_data.masks, list[File])
        yield Output(image=File(path="out.png"))
        yield Output(image=File.from_path("out.png"), output_meta=OutputMeta())


def answer(request: LLMInput) -> LLMOutput:
    assert_type(request.temperature, float)
    return LLMOutput(response=request.text)
