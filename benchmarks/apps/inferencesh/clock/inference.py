import time

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput


class AppInput(BaseAppInput):
    text: str


class AppOutput(BaseAppOutput):
    entered: float


class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:  # noqa: ARG002 - only its coming counts
        return AppOutput(entered=time.monotonic())
