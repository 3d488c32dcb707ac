"""App framework of inference.sh: BaseApp, typed inputs and outputs, the worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from inferencesh_core.file import File as File

    from .base import BaseApp as BaseApp
    from .base import BaseAppInput as BaseAppInput
    from .base import BaseAppOutput as BaseAppOutput
    from .base import BaseAppSetup as BaseAppSetup
    from .base import Metadata as Metadata
    from .base import OptionalAudioFieldMixin as OptionalAudioFieldMixin
    from .base import OptionalFileFieldMixin as OptionalFileFieldMixin
    from .base import OptionalImageFieldMixin as OptionalImageFieldMixin
    from .base import OptionalTextFieldMixin as OptionalTextFieldMixin
    from .base import OptionalVideoFieldMixin as OptionalVideoFieldMixin
    from .base import OrderedSchemaModel as OrderedSchemaModel
    from .base import RequiredAudioFieldMixin as RequiredAudioFieldMixin
    from .base import RequiredFileFieldMixin as RequiredFileFieldMixin
    from .base import RequiredImageFieldMixin as RequiredImageFieldMixin
    from .base import RequiredTextFieldMixin as RequiredTextFieldMixin
    from .base import RequiredVideoFieldMixin as RequiredVideoFieldMixin
    from .description import Description as Description
    from .description import FunctionDescription as FunctionDescription
    from .loader import LoadError as LoadError
    from .manifest import Manifest as Manifest
    from .manifest import ManifestError as ManifestError
    from .manifest import load_manifest as load_manifest
    from .output_meta import AudioMeta as AudioMeta
    from .output_meta import ImageMeta as ImageMeta
    from .output_meta import MetaItem as MetaItem
    from .output_meta import MetaItemType as MetaItemType
    from .output_meta import OutputMeta as OutputMeta
    from .output_meta import RawMeta as RawMeta
    from .output_meta import TextMeta as TextMeta
    from .output_meta import VideoMeta as VideoMeta
    from .output_meta import VideoResolution as VideoResolution

else:
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_core.file": "File",
            ".base": (
                "BaseApp BaseAppInput BaseAppOutput BaseAppSetup Metadata OptionalAudioFieldMixin "
                "OptionalFileFieldMixin OptionalImageFieldMixin OptionalTextFieldMixin "
                "OptionalVideoFieldMixin OrderedSchemaModel RequiredAudioFieldMixin RequiredFileFieldMixin "
                "RequiredImageFieldMixin RequiredTextFieldMixin RequiredVideoFieldMixin"
            ),
            ".description": "Description FunctionDescription",
            ".loader": "LoadError",
            ".manifest": "Manifest ManifestError load_manifest",
            ".output_meta": (
                "AudioMeta ImageMeta MetaItem MetaItemType OutputMeta RawMeta TextMeta VideoMeta "
                "VideoResolution"
            ),
        },
    )

__all__ = [
    "AudioMeta",
    "BaseApp",
    "BaseAppInput",
    "BaseAppOutput",
    "BaseAppSetup",
    "Description",
    "File",
    "FunctionDescription",
    "ImageMeta",
    "LoadError",
    "Manifest",
    "ManifestError",
    "MetaItem",
    "MetaItemType",
    "Metadata",
    "OptionalAudioFieldMixin",
    "OptionalFileFieldMixin",
    "OptionalImageFieldMixin",
    "OptionalTextFieldMixin",
    "OptionalVideoFieldMixin",
    "OrderedSchemaModel",
    "OutputMeta",
    "RawMeta",
    "RequiredAudioFieldMixin",
    "RequiredFileFieldMixin",
    "RequiredImageFieldMixin",
    "RequiredTextFieldMixin",
    "RequiredVideoFieldMixin",
    "TextMeta",
    "VideoMeta",
    "VideoResolution",
    "load_manifest",
]


def __dir__() -> list[str]:
    return __all__
