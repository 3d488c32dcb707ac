"""Finds plugins and registers them with one pluggy manager per client or engine."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pluggy

from .installed import installed_plugins
from .specs import HOOKS_OF_ENGINES, PROJECT, ClientHooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .installed import InstalledPlugin

DISABLE_VARIABLE = "INFERENCESH_DISABLE_PLUGINS"


class PluginWarning(UserWarning):
    """A plugin could not be loaded and is left out, or has a function that nothing will ever call."""


def load_plugins(
    specs: type, *, builtins: Sequence[object], plugins: Sequence[object]
) -> pluggy.PluginManager:
    """Make a manager for the hooks of ``specs``.

    A plugin registered later is asked earlier: those in ``plugins`` first, then the installed ones, then
    the built-ins. An installed plugin that fails to load is a `PluginWarning` with its name; so is a function
    marked as a hook whose name is that of no hook, here or in another package.

    Args:
        specs: The class of hook specifications.
        builtins: What is always there.
        plugins: What the caller passed.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    for plugin in builtins:
        manager.register(plugin)
    for found in _installed():
        _register_installed(manager, found)
    for plugin in plugins:
        manager.register(plugin)
    _warn_of_misspelt(manager)
    return manager


def plugin_name(implementation: pluggy.HookImpl) -> str:
    """Give the name of a plugin for messages."""
    # A plugin that is an object without a name has its id for one.
    name = implementation.plugin_name
    return type(implementation.plugin).__qualname__ if name.isdecimal() else name


def _warn_of_misspelt(manager: pluggy.PluginManager) -> None:
    hooks = _all_hooks(manager)
    for name, hook in vars(manager.hook).items():
        for implementation in hook.get_hookimpls() if name not in hooks else ():
            _warn(plugin_name(implementation), name, hooks)


def _all_hooks(manager: pluggy.PluginManager) -> set[str]:
    """Those of clients, of engines, and of this manager: one plugin may serve both."""
    here = {name for name, hook in vars(manager.hook).items() if hook.has_spec()}
    return here | {name for name in vars(ClientHooks) if name.startswith(PROJECT)} | HOOKS_OF_ENGINES


def _warn(plugin: str, function: str, hooks: set[str]) -> None:
    from difflib import get_close_matches  # noqa: PLC0415 - a mistake is worth its import

    (nearest,) = get_close_matches(function, sorted(hooks), n=1, cutoff=0)
    warnings.warn(
        f"plugin {plugin!r} marks {function!r} as a hook, but there is no hook of that name, so it is never "
        f"called. Did you mean {nearest!r}?",
        PluginWarning,
        stacklevel=4,
    )


def _installed() -> list[InstalledPlugin]:
    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    if "*" in disabled:
        return []
    return [found for found in installed_plugins(PROJECT) if found.name not in disabled]


def _register_installed(manager: pluggy.PluginManager, plugin: InstalledPlugin) -> None:
    try:
        manager.register(plugin.load(), name=plugin.name)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        distribution = plugin.distribution() or "an unknown distribution"
        warnings.warn(
            f"plugin {plugin.name!r} of {distribution} is left out, it failed to load: {error!r}. "
            f"Set {DISABLE_VARIABLE}={plugin.name} to silence this.",
            PluginWarning,
            stacklevel=2,
        )
