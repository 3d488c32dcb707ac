"""Models of apps, under their old path; each name is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferencesh_app.base import (
        BaseApp,
        BaseAppInput,
        BaseAppOutput,
        BaseAppSetup,
        Metadata,
    )
    from inferencesh_app.llm import (
        ContextMessage,
        ContextMessageRole,
        LLMInput,
        LLMOutput,
        Message,
        build_messages,
        stream_generate,
        timing_context,
    )
    from inferencesh_app.output_meta import (
        AudioMeta,
        ImageMeta,
        MetaItem,
        MetaItemType,
        OutputMeta,
        RawMeta,
        TextMeta,
        VideoMeta,
        VideoResolution,
    )
    from inferencesh_core.errors import (
        APIError,
        RequirementError,
        RequirementsNotMetError,
        SetupAction,
    )
    from inferencesh_core.file import (
        File,
    )
else:
    _HOME = {
        "APIError": "inferencesh_core.errors",
        "AudioMeta": "inferencesh_app.output_meta",
        "BaseApp": "inferencesh_app.base",
        "BaseAppInput": "inferencesh_app.base",
        "BaseAppOutput": "inferencesh_app.base",
        "BaseAppSetup": "inferencesh_app.base",
        "ContextMessage": "inferencesh_app.llm",
        "ContextMessageRole": "inferencesh_app.llm",
        "File": "inferencesh_core.file",
        "ImageMeta": "inferencesh_app.output_meta",
        "LLMInput": "inferencesh_app.llm",
        "LLMOutput": "inferencesh_app.llm",
        "Message": "inferencesh_app.llm",
        "MetaItem": "inferencesh_app.output_meta",
        "MetaItemType": "inferencesh_app.output_meta",
        "Metadata": "inferencesh_app.base",
        "OutputMeta": "inferencesh_app.output_meta",
        "RawMeta": "inferencesh_app.output_meta",
        "RequirementError": "inferencesh_core.errors",
        "RequirementsNotMetError": "inferencesh_core.errors",
        "SetupAction": "inferencesh_core.errors",
        "TextMeta": "inferencesh_app.output_meta",
        "VideoMeta": "inferencesh_app.output_meta",
        "VideoResolution": "inferencesh_app.output_meta",
        "build_messages": "inferencesh_app.llm",
        "stream_generate": "inferencesh_app.llm",
        "timing_context": "inferencesh_app.llm",
    }

    # `models.llm` and the like need no import of their own where this package has been imported.
    _MODULES = {"base", "errors", "file", "llm", "output_meta"}

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*_HOME, *_MODULES})


__all__ = [
    "APIError",
    "AudioMeta",
    "BaseApp",
    "BaseAppInput",
    "BaseAppOutput",
    "BaseAppSetup",
    "ContextMessage",
    "ContextMessageRole",
    "File",
    "ImageMeta",
    "LLMInput",
    "LLMOutput",
    "Message",
    "MetaItem",
    "MetaItemType",
    "Metadata",
    "OutputMeta",
    "RawMeta",
    "RequirementError",
    "RequirementsNotMetError",
    "SetupAction",
    "TextMeta",
    "VideoMeta",
    "VideoResolution",
    "build_messages",
    "stream_generate",
    "timing_context",
]
