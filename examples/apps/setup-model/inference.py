from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup, Metadata


class AppSetup(BaseAppSetup):
    model: str = Field(default="small", description="Name of the model to load")
    precision: str = Field(default="fp16", description="Precision to load it in")


class AppInput(BaseAppInput):
    prompt: str = ""


class AppOutput(BaseAppOutput):
    text: str
    model: str
    precision: str
    worker_id: str | None = Field(description="The worker that answered")
    setups: int = Field(description="How often this worker was set up")
    calls: int = Field(description="How many calls it has answered, this one included")


class App(BaseApp):
    setups: int = 0
    calls: int = 0

    async def setup(self, config: AppSetup) -> None:
        self.config = config
        self.setups += 1
        self.logger.info("loaded %s in %s", config.model, config.precision)

    async def run(self, input_data: AppInput, metadata: Metadata) -> AppOutput:
        self.calls += 1
        return AppOutput(
            text=f"{self.config.model} says: {input_data.prompt}",
            model=self.config.model,
            precision=self.config.precision,
            worker_id=metadata.worker_id,
            setups=self.setups,
            calls=self.calls,
        )
