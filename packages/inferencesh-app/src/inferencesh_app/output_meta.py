"""What a task consumed and produced, in the units it is priced by."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator


class MetaItemType(str, Enum):
    """The kinds of `MetaItem`, as they stand in its `type`."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    RAW = "raw"


class VideoResolution(str, Enum):
    """The presets of `VideoMeta.resolution`."""

    VIDEO_RES480_P = "480p"
    VIDEO_RES720_P = "720p"
    VIDEO_RES1080_P = "1080p"
    VIDEO_RES1440_P = "1440p"
    VIDEO_RES4_K = "4k"


class MetaItem(BaseModel):
    """What all kinds of item share."""

    type: str
    extra: dict[str, Any] | None = Field(
        default=None, description="App-specific key-value pairs for custom pricing factors"
    )

    @field_validator("type", mode="before")
    @classmethod
    def _type_as_text(cls, value: Any) -> Any:
        return value.value if isinstance(value, MetaItemType) else value


# Each kind narrows `type` to its own constant: items are told apart by it, in JSON and in the schema.
# pyright objects to narrowing a mutable attribute; no code of ours or of an app reassigns it.


class TextMeta(MetaItem):
    """Text, measured in tokens."""

    type: Literal["text"] = "text"  # pyright: ignore[reportIncompatibleVariableOverride]
    tokens: int = Field(default=0, description="Tokens: read in inputs, generated in outputs")


class ImageMeta(MetaItem):
    """Images of one size."""

    type: Literal["image"] = "image"  # pyright: ignore[reportIncompatibleVariableOverride]
    width: int = Field(default=0, description="Width in pixels")
    height: int = Field(default=0, description="Height in pixels")
    resolution_mp: float = Field(default=0, description="Megapixels: width * height / 1,000,000")
    steps: int = Field(default=0, description="Diffusion steps")
    count: int = Field(default=1, description="How many images")


class VideoMeta(MetaItem):
    """A video."""

    type: Literal["video"] = "video"  # pyright: ignore[reportIncompatibleVariableOverride]
    width: int = Field(default=0, description="Width in pixels")
    height: int = Field(default=0, description="Height in pixels")
    resolution_mp: float = Field(default=0, description="Megapixels per frame")
    resolution: str | None = Field(default=None, description="Preset: 480p, 720p, 1080p, 1440p or 4k")
    seconds: float = Field(default=0, description="Duration in seconds")
    fps: int = Field(default=0, description="Frames per second")


class AudioMeta(MetaItem):
    """A sound."""

    type: Literal["audio"] = "audio"  # pyright: ignore[reportIncompatibleVariableOverride]
    seconds: float = Field(default=0, description="Duration in seconds")
    sample_rate: int = Field(default=0, description="Sample rate in Hz")


class RawMeta(MetaItem):
    """A price the app computed itself."""

    type: Literal["raw"] = "raw"  # pyright: ignore[reportIncompatibleVariableOverride]
    cost: float = Field(default=0, description="Cost in dollar cents")


_KINDS: dict[str, type[MetaItem]] = {
    "text": TextMeta,
    "image": ImageMeta,
    "video": VideoMeta,
    "audio": AudioMeta,
    "raw": RawMeta,
}


def _kind(item: Any) -> str | None:
    """The item's type; items written without one go by the fields they have."""
    if isinstance(item, MetaItem):
        return item.type
    if not isinstance(item, dict):
        return None
    if (named := item.get("type")) is not None:
        return str(getattr(named, "value", named))
    return next((kind for kind, model in _KINDS.items() if item.keys() <= model.model_fields.keys()), None)


_Item = Annotated[
    Annotated[TextMeta, Tag("text")]
    | Annotated[ImageMeta, Tag("image")]
    | Annotated[VideoMeta, Tag("video")]
    | Annotated[AudioMeta, Tag("audio")]
    | Annotated[RawMeta, Tag("raw")],
    Discriminator(_kind),
]


class OutputMeta(BaseModel):
    """What a task consumed and produced; an app puts it into its output to be priced by it.

    Example:
        OutputMeta(inputs=[TextMeta(tokens=150)], outputs=[TextMeta(tokens=500)])
    """

    inputs: list[_Item] = Field(default_factory=list, description="What was consumed")
    outputs: list[_Item] = Field(default_factory=list, description="What was produced")
