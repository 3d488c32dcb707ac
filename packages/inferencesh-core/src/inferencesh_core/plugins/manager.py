"""Finds plugins and registers them with one pluggy manager per client or engine."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pluggy

from .specs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

DISABLE_VARIABLE = "INFERENCESH_DISABLE_PLUGINS"


class PluginWarning(UserWarning):
    """A plugin could not be loaded and is left out."""


def load_plugins(
    specs: type, *, builtins: Sequence[object], plugins: Sequence[object]
) -> pluggy.PluginManager:
    """Make a manager for the hooks of ``specs``.

    A plugin registered later is asked earlier: those in ``plugins`` first, then the installed ones, then
    the built-ins. An installed plugin that fails to load is a `PluginWarning` with its name.

    Args:
        specs: The class of hook specifications.
        builtins: What is always there.
        plugins: What the caller passed.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    for plugin in builtins:
        manager.register(plugin)
    for entry_point in _installed():
        _register_installed(manager, entry_point)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def _installed() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - heavy; only making a client needs it

    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    if "*" in disabled:
        return []
    return [found for found in entry_points(group=PROJECT) if found.name not in disabled]


def _register_installed(manager: pluggy.PluginManager, entry_point: EntryPoint) -> None:
    try:
        manager.register(entry_point.load(), name=entry_point.name)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        distribution = entry_point.dist.name if entry_point.dist else "an unknown distribution"
        warnings.warn(
            f"plugin {entry_point.name!r} of {distribution} is left out, it failed to load: {error!r}. "
            f"Set {DISABLE_VARIABLE}={entry_point.name} to silence this.",
            PluginWarning,
            stacklevel=2,
        )
