"""What a task consumed and produced, under its old path."""

from inferencesh_app.output_meta import (
    AudioMeta,
    ImageMeta,
    MetaItem,
    MetaItemType,
    OutputMeta,
    RawMeta,
    TextMeta,
    VideoMeta,
)

__all__ = [
    "AudioMeta",
    "ImageMeta",
    "MetaItem",
    "MetaItemType",
    "OutputMeta",
    "RawMeta",
    "TextMeta",
    "VideoMeta",
]
