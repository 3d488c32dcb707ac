import tempfile
from pathlib import Path
from uuid import uuid4

from PIL import Image
from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, File, ImageMeta, OutputMeta


class AppInput(BaseAppInput):
    image: File = Field(description="The image to shrink", json_schema_extra={"contentMediaType": "image/*"})
    size: int = Field(default=128, ge=1, le=4096, description="Longest side of the result in pixels")


class AppOutput(BaseAppOutput):
    image: File = Field(
        description="The thumbnail, a PNG", json_schema_extra={"contentMediaType": "image/png"}
    )
    width: int
    height: int


class App(BaseApp):
    async def setup(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="thumbnails-")

    async def run(self, input_data: AppInput) -> AppOutput:
        with Image.open(input_data.image.path) as image:
            image.thumbnail((input_data.size, input_data.size))
            path = Path(self.folder.name, f"{uuid4().hex}.png")
            image.save(path)
            width, height = image.size
        self.logger.info("made a thumbnail of %d x %d pixels", width, height)
        meta = OutputMeta(outputs=[ImageMeta(width=width, height=height)])
        file = File(path=str(path), filename="thumbnail.png")
        return AppOutput(image=file, width=width, height=height, output_meta=meta)

    async def unload(self) -> None:
        self.folder.cleanup()
