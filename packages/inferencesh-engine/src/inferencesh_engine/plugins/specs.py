"""The hooks of an engine: what a plugin can add, and when it is asked.

A plugin is a module or an object with functions of these names, marked with `hookimpl`. It reaches an
engine through an entry point of the group `inferencesh`, or through `Engine(config, plugins=[...])`:

    from inferencesh_engine.plugins import ExecutorChoice, hookimpl

    @hookimpl
    def inferencesh_executors():
        return [ExecutorChoice("cluster", ClusterExecutor)]

Two hooks are *lists*: they collect records that have a name, and two of one name are an error. One is an
*ask*: the first answer wins, and `None` means "not mine".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferencesh_core.plugins.specs import hookimpl, hookspec

if TYPE_CHECKING:
    from ..agents.tools.runner import Tool, ToolRunnerFactory
    from ..catalog import AppSource
    from ..config import EngineConfig
    from ..executors import Executor

__all__ = ["EngineHooks", "ExecutorChoice", "hookimpl"]


@dataclass(frozen=True)
class ExecutorChoice:
    """A way to place workers.

    Attributes:
        name: What `EngineConfig.executor` says to choose it.
        open: Makes the executor; called once by the engine that chose it.
    """

    name: str
    open: Callable[[EngineConfig], Executor]


class EngineHooks:
    """The specifications. A plugin class may derive from this, so that type checkers hold it to them."""

    @hookspec
    def inferencesh_executors(self) -> list[ExecutorChoice]:  # type: ignore[empty-body]
        """Add ways to place workers (list). Called once, when an engine starts."""

    @hookspec
    def inferencesh_apps(self, config: EngineConfig) -> list[AppSource]:  # type: ignore[empty-body]
        """Add places apps come from (list). Called once, when an engine starts."""

    @hookspec(firstresult=True)
    def inferencesh_tool_runner(self, tool: Tool) -> ToolRunnerFactory | None:
        """Run a kind of agent tool (ask). Called when a tool is offered to a model, and when it is run.

        What is given makes the runner and is called once per engine; the same answer for another tool means
        the same runner. `tool.type` and `tool.spec` are what the agent's configuration says:

            @hookimpl
            def inferencesh_tool_runner(tool):
                return SearchRunner if tool.type == "search" else None
        """
