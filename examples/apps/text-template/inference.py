from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, OutputMeta, TextMeta

from .template import fill, names_in


class AppInput(BaseAppInput):
    template: str = Field(description="Text with placeholders like {name}", examples=["Dear {name},"])
    values: dict[str, str] = Field(default={}, description="A value for each placeholder")
    missing: str | None = Field(
        default=None, description="Stands in for values not given; none: they are an error"
    )


class AppOutput(BaseAppOutput):
    text: str = Field(description="The template with its placeholders filled")


class TemplateInput(BaseAppInput):
    template: str


class TemplateOutput(BaseAppOutput):
    names: list[str]


class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        text = fill(input_data.template, input_data.values, input_data.missing)
        self.logger.info("filled %d placeholders", len(input_data.values))
        return AppOutput(text=text, output_meta=OutputMeta(outputs=[TextMeta(tokens=len(text.split()))]))

    async def placeholders(self, input_data: TemplateInput) -> TemplateOutput:
        return TemplateOutput(names=names_in(input_data.template))
