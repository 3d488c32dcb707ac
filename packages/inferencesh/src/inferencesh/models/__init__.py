"""Models of apps, under their old path; each name is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

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
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_app.base": "BaseApp BaseAppInput BaseAppOutput BaseAppSetup Metadata",
            "inferencesh_app.llm": (
                "ContextMessage ContextMessageRole LLMInput LLMOutput Message build_messages "
                "stream_generate timing_context"
            ),
            "inferencesh_app.output_meta": (
                "AudioMeta ImageMeta MetaItem MetaItemType OutputMeta RawMeta TextMeta VideoMeta "
                "VideoResolution"
            ),
            "inferencesh_core.errors": "APIError RequirementError RequirementsNotMetError SetupAction",
            "inferencesh_core.file": "File",
        },
        submodules="base errors file llm output_meta",
    )

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


def __dir__() -> list[str]:
    return __all__
