import asyncio
from collections.abc import AsyncGenerator

from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput


class AppInput(BaseAppInput):
    steps: int = Field(default=5, ge=1, le=100_000, description="How many words")
    delay: float = Field(default=0.2, ge=0, le=3600, description="Seconds before each word")


class AppOutput(BaseAppOutput):
    text: str = Field(description="The text so far")
    progress: float = Field(description="From 0 to 1")


class App(BaseApp):
    async def run(self, input_data: AppInput) -> AsyncGenerator[AppOutput, None]:
        words: list[str] = []
        for step in range(1, input_data.steps + 1):
            await asyncio.sleep(input_data.delay)
            words.append(f"word-{step}")
            yield AppOutput(text=" ".join(words), progress=step / input_data.steps)
