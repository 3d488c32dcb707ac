"""What lies in a folder that is served: apps, agents, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_app.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS_NAME = "engine.yml"
AGENTS_FOLDER = "agents"
AGENT_SUFFIXES = (".yml", ".yaml")

_SOMETHING = (
    *(f"{depth}{MANIFEST_NAME}" for depth in ("", "*/", "*/*/")),
    *(f"{AGENTS_FOLDER}/*{suffix}" for suffix in AGENT_SUFFIXES),
    SETTINGS_NAME,
)


def has_something(folder: Path) -> bool:
    """Whether there is anything in the folder that can be served."""
    return any(any(folder.glob(pattern)) for pattern in _SOMETHING)
