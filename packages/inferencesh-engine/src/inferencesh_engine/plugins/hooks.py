"""The typed front of the engine's hooks: the only code that calls pluggy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_core.plugins.manager import load_plugins, plugin_name

from ..domain.problems import EngineStartError
from .builtin import BuiltinEnginePlugin
from .specs import EngineHooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pluggy

    from ..agents.tools.runner import Tool, ToolRunnerFactory
    from ..catalog import AppSource
    from ..config import EngineConfig
    from ..executors import Executor
    from .specs import ExecutorChoice


class Hooks:
    """The plugins of one engine."""

    def __init__(self, plugins: Sequence[object] = ()) -> None:
        self._manager = load_plugins(EngineHooks, builtins=[BuiltinEnginePlugin()], plugins=plugins)

    def executor(self, config: EngineConfig) -> Executor:
        """Give the executor the configuration names.

        Raises:
            EngineStartError: no plugin brings it, or two plugins bring one name.
        """
        hook = self._manager.hook.inferencesh_executors
        choices: dict[str, ExecutorChoice] = _by_name(hook, "executor")
        if config.executor not in choices:
            raise EngineStartError(f"there is no executor {config.executor!r}; choose from {sorted(choices)}")
        return choices[config.executor].open(config)

    def app_sources(self, config: EngineConfig) -> list[AppSource]:
        """Give the places apps come from.

        Raises:
            EngineStartError: two plugins bring one name.
        """
        sources: dict[str, AppSource] = _by_name(
            self._manager.hook.inferencesh_apps, "app source", config=config
        )
        return list(sources.values())

    def tool_runner(self, tool: Tool) -> ToolRunnerFactory | None:
        """Give what makes the runner of a tool; None when no plugin knows its kind."""
        factory: ToolRunnerFactory | None = self._manager.hook.inferencesh_tool_runner(tool=tool)
        return factory


def _by_name(hook: pluggy.HookCaller, what: str, **arguments: object) -> dict[str, Any]:
    found: dict[str, tuple[Any, str]] = {}
    for implementation in hook.get_hookimpls():
        taken = {name: arguments[name] for name in implementation.argnames}
        contributed: list[Any] = implementation.function(**taken)  # type: ignore[assignment]
        for record in contributed:
            if record.name in found:
                raise EngineStartError(
                    f"two plugins bring the {what} {record.name!r}: {found[record.name][1]} and "
                    f"{plugin_name(implementation)}; remove one, or name it in INFERENCESH_DISABLE_PLUGINS"
                )
            found[record.name] = (record, plugin_name(implementation))
    return {name: record for name, (record, _) in found.items()}
