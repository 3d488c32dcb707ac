"""The models apps are made of, under their old path."""

from inferencesh_app.base import (
    BaseApp,
    BaseAppInput,
    BaseAppOutput,
    BaseAppSetup,
    Metadata,
    OptionalAudioFieldMixin,
    OptionalFileFieldMixin,
    OptionalImageFieldMixin,
    OptionalTextFieldMixin,
    OptionalVideoFieldMixin,
    OrderedSchemaModel,
    RequiredAudioFieldMixin,
    RequiredFileFieldMixin,
    RequiredImageFieldMixin,
    RequiredTextFieldMixin,
    RequiredVideoFieldMixin,
)
from inferencesh_app.output_meta import (
    OutputMeta,
)
from inferencesh_core.file import (
    File,
)

__all__ = [
    "BaseApp",
    "BaseAppInput",
    "BaseAppOutput",
    "BaseAppSetup",
    "File",
    "Metadata",
    "OptionalAudioFieldMixin",
    "OptionalFileFieldMixin",
    "OptionalImageFieldMixin",
    "OptionalTextFieldMixin",
    "OptionalVideoFieldMixin",
    "OrderedSchemaModel",
    "OutputMeta",
    "RequiredAudioFieldMixin",
    "RequiredFileFieldMixin",
    "RequiredImageFieldMixin",
    "RequiredTextFieldMixin",
    "RequiredVideoFieldMixin",
]
