"""Finds the plugins of installed distributions.

It gives what `importlib.metadata` gives, whose import takes a small program longer than its request. The
folders on the path are read here; where something else may hold distributions, an archive or the finder of
another tool, the standard library is asked.
"""

from __future__ import annotations

import os
import sys
from functools import partial, reduce
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

_METADATA_FOLDERS = (".dist-info", ".egg-info")


class InstalledPlugin(NamedTuple):
    """An entry point.

    Attributes:
        name: What its distribution calls it.
        distribution: Gives the name of that; ``None`` where it is not known.
        load: Imports it.
    """

    name: str
    distribution: Callable[[], str | None]
    load: Callable[[], object]


def installed_plugins(group: str) -> list[InstalledPlugin]:
    """Give the entry points of a group; of distributions of one name, those of the first on the path."""
    # Anything may stand there; what is no text is passed over by imports, too.
    places = [place for place in dict.fromkeys(sys.path) if isinstance(place, str)]  # type: ignore[redundant-expr]
    if _has_finders_of_others() or any(map(_may_be_an_archive, places)):
        return _asked_of_the_standard_library(group)
    return [
        InstalledPlugin(name, partial(_name_in, folder), partial(_load, value))
        for folder in _distributions(places).values()
        for name, value in _entries(folder, group)
    ]


def _asked_of_the_standard_library(group: str) -> list[InstalledPlugin]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return [
        InstalledPlugin(found.name, partial(_told_name, found), found.load)
        for found in entry_points(group=group)
    ]


def _told_name(found: EntryPoint) -> str | None:
    return found.dist.name if found.dist else None


def _has_finders_of_others() -> bool:
    # Of the interpreter's own, only the finder for the path knows of distributions.
    return any(
        hasattr(finder, "find_distributions") and finder.__module__ != "_frozen_importlib_external"
        for finder in sys.meta_path
    )


def _may_be_an_archive(place: str) -> bool:
    return place.endswith(".egg") or os.path.isfile(place)


def _distributions(places: list[str]) -> dict[str, str]:
    """Give the metadata folder of each distribution by its name, written alike however it is spelled."""
    found: dict[str, str] = {}
    for place in places:
        for entry in sorted(_entries_of_folder(place)):
            stem, kind = os.path.splitext(entry)
            if kind.lower() in _METADATA_FOLDERS:
                found.setdefault(_spelled_alike(stem.partition("-")[0]), os.path.join(place, entry))
    return found


def _entries_of_folder(place: str) -> list[str]:
    try:
        return os.listdir(place or ".")
    except OSError:  # what is on the path need not be there
        return []


def _spelled_alike(name: str) -> str:
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def _entries(folder: str, group: str) -> Iterator[tuple[str, str]]:
    """Give names and values of a group of a distribution's entry points."""
    section = None
    for line in map(str.strip, _text(os.path.join(folder, "entry_points.txt")).splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
        elif section == group and not line.startswith("#"):
            name, separator, value = line.partition("=")
            if separator:
                yield name.strip(), value.strip()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:  # few distributions have entry points
        return ""


def _name_in(folder: str) -> str:
    """Give the name of a distribution as it writes it, or else as its folder does."""
    for file in ("METADATA", "PKG-INFO"):
        for line in _text(os.path.join(folder, file)).splitlines():
            if line.startswith("Name:"):
                return line.partition(":")[2].strip()
    return os.path.basename(folder).partition("-")[0]


def _load(value: str) -> object:
    """Import what is written ``module`` or ``module:attribute``; ``[extras]`` after it mean nothing."""
    module, _, attributes = value.partition("[")[0].partition(":")
    return reduce(getattr, filter(None, attributes.strip().split(".")), import_module(module.strip()))
