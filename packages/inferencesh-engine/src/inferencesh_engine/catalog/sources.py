"""Places that apps come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inferencesh_app.manifest import MANIFEST_NAME

from ..domain.problems import EngineStartError
from ..served_folder import AGENTS_FOLDER

_SKIPPED = {"__pycache__", "node_modules"}


@dataclass(frozen=True)
class Found:
    """App folders, and what looks like one and is not: a sentence for people each."""

    folders: tuple[Path, ...]
    issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppSource:
    """A place apps come from.

    Attributes:
        name: No two sources of an engine may have the same.
        find: Looks for app folders now; called at the start and whenever an unknown app is asked for.
    """

    name: str
    find: Callable[[], Found]


def folder_source(root: Path) -> AppSource:
    """The apps in a folder: itself, its sub-folders and theirs, wherever there is a manifest."""
    return AppSource("folder", lambda: _find(root))


def shipped_source() -> AppSource:
    """The apps that come with the engine."""
    return AppSource("shipped", lambda: _find(Path(__file__).parents[1] / "shipped_apps"))


def _find(root: Path) -> Found:
    if not root.is_dir():
        raise EngineStartError(f"there is no folder of apps at {root}; create it or name another one")
    if (root / MANIFEST_NAME).is_file():
        return Found((root,))
    folders: list[Path] = []
    issues: list[str] = []
    for child in _folders_in(root):
        apps = [folder for folder in (child, *_folders_in(child)) if (folder / MANIFEST_NAME).is_file()]
        folders += apps[:1] if apps[:1] == [child] else apps
        if not apps and child.name != AGENTS_FOLDER:
            issues.append(f"{child} is ignored: it has no {MANIFEST_NAME}, nor has any folder in it")
    return Found(tuple(folders), tuple(issues))


def _folders_in(folder: Path) -> list[Path]:
    found = [entry for entry in folder.iterdir() if entry.is_dir()]
    return sorted(entry for entry in found if entry.name not in _SKIPPED and not entry.name.startswith("."))
