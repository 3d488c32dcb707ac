from inferencesh import BaseApp, BaseAppInput, BaseAppOutput


class AppInput(BaseAppInput):
    text: str


class AppOutput(BaseAppOutput):
    text: str


class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=input_data.text)
