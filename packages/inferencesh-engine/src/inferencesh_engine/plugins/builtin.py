"""What the engine brings itself, through the same hooks as any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .specs import ExecutorChoice, hookimpl

if TYPE_CHECKING:
    from ..agents.tools.runner import Tool, ToolRunnerFactory
    from ..catalog import AppSource
    from ..config import EngineConfig
    from ..executors import Executor


class BuiltinEnginePlugin:
    """Subprocess workers, and apps from the configured folder and from the engine's own."""

    @hookimpl
    def inferencesh_executors(self) -> list[ExecutorChoice]:
        """Give `subprocess`."""
        return [ExecutorChoice("subprocess", _subprocess)]

    @hookimpl
    def inferencesh_apps(self, config: EngineConfig) -> list[AppSource]:
        """Give the folders in `apps_dir`, and the apps that come with the engine."""
        from ..catalog.sources import folder_source, shipped_source  # noqa: PLC0415  # not needed before

        return [folder_source(config.apps_dir), shipped_source()]

    @hookimpl
    def inferencesh_tool_runner(self, tool: Tool) -> ToolRunnerFactory | None:
        """Give the runners of apps, agents, HTTP calls, webhooks, MCP servers and the engine's own tools."""
        from ..agents.tools.kinds import runner_of  # noqa: PLC0415  # engines without agents need none of it

        return runner_of(tool.type)


def _subprocess(_config: EngineConfig) -> Executor:
    from ..child_environment import bare_environment  # noqa: PLC0415  # only when chosen
    from ..executors.spare import Spare  # noqa: PLC0415  # the same
    from ..executors.subprocess import SubprocessExecutor  # noqa: PLC0415  # the same

    return SubprocessExecutor(Spare(bare_environment()))
