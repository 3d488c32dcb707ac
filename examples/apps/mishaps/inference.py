import asyncio
import ctypes
import os
import sys
import time
from collections.abc import AsyncGenerator
from enum import Enum

from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup


class How(str, Enum):
    NOT = "not"
    RAISE = "raise"
    SYS_EXIT = "sys_exit"
    OS_EXIT = "os_exit"
    SEGFAULT = "segfault"
    NEVER_RETURNS = "never_returns"
    NEVER_YIELDS_CONTROL = "never_yields_control"
    PRINT_BINARY = "print_binary"
    BIG_OUTPUT = "big_output"
    BAD_OUTPUT = "bad_output"
    NO_OUTPUT = "no_output"


class AppSetup(BaseAppSetup):
    seconds: float = Field(default=0, ge=0, description="How long setup takes")
    fails: bool = Field(default=False, description="Whether setup raises")


class AppInput(BaseAppInput):
    how: How = Field(default=How.NOT, description="What goes wrong")


class AppOutput(BaseAppOutput):
    text: str


class App(BaseApp):
    async def setup(self, config: AppSetup) -> None:
        await asyncio.sleep(config.seconds)
        if config.fails:
            raise RuntimeError("setup was asked to fail")

    async def run(self, input_data: AppInput) -> AppOutput:
        return await getattr(self, f"_{input_data.how.value}")()

    async def yields_nothing(self, _: AppInput) -> AsyncGenerator[AppOutput, None]:
        for text in ():
            yield AppOutput(text=text)

    async def fails_midway(self, _: AppInput) -> AsyncGenerator[AppOutput, None]:
        yield AppOutput(text="half of it")
        raise RuntimeError("the other half is lost")

    def sync_never_returns(self, _: AppInput) -> AppOutput:
        while True:
            time.sleep(0.01)

    async def _not(self) -> AppOutput:
        return AppOutput(text="nothing went wrong")

    async def _raise(self) -> AppOutput:
        raise ValueError("the app raised this on purpose")

    async def _sys_exit(self) -> AppOutput:
        sys.exit(7)

    async def _os_exit(self) -> AppOutput:
        os._exit(9)

    async def _segfault(self) -> AppOutput:
        ctypes.string_at(0)
        raise AssertionError("address 0 could be read")

    async def _never_returns(self) -> AppOutput:
        await asyncio.Event().wait()
        raise AssertionError("an event nobody sets was set")

    async def _never_yields_control(self) -> AppOutput:
        while True:
            pass

    async def _print_binary(self) -> AppOutput:
        sys.stdout.buffer.write(bytes(range(256)) * 4)
        sys.stdout.flush()
        print('\x00\ud800 {"type": "result"}')
        return AppOutput(text="printed bytes that are no text")

    async def _big_output(self) -> AppOutput:
        return AppOutput(text="x" * 10_000_000)

    async def _bad_output(self) -> AppOutput:
        return {"text": ["not", "text"]}  # type: ignore[return-value]

    async def _no_output(self) -> AppOutput:
        return None  # type: ignore[return-value]
