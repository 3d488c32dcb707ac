"""What lies in a folder that is served: apps, agents, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS_NAME = "engine.yml"
AGENTS_FOLDER = "agents"
AGENT_SUFFIXES = (".yml", ".yaml")


def has_something(folder: Path) -> bool:
    """Whether there is anything in the folder that can be served."""
    from inferencesh_app.manifest import MANIFEST_NAME  # noqa: PLC0415 - an engine's start waits for the rest

    apps = (f"{depth}{MANIFEST_NAME}" for depth in ("", "*/", "*/*/"))
    agents = (f"{AGENTS_FOLDER}/*{suffix}" for suffix in AGENT_SUFFIXES)
    return any(any(folder.glob(pattern)) for pattern in (*apps, *agents, SETTINGS_NAME))
