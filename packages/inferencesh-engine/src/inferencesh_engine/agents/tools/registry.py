"""The runners of one engine: which one a tool belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .runner import ToolError

if TYPE_CHECKING:
    from ...plugins import Hooks
    from .runner import (
        Invocation,
        Offered,
        Started,
        Tool,
        ToolOutcome,
        ToolRunner,
        ToolRunnerFactory,
        ToolServices,
    )


class ToolRegistry:
    """Finds the runner of a tool through the plugins, and keeps one of each kind."""

    def __init__(self, hooks: Hooks, services: ToolServices) -> None:
        self._hooks = hooks
        self._services = services
        self._runners: dict[ToolRunnerFactory, ToolRunner] = {}

    async def offered(self, tool: Tool) -> Offered | None:
        """What the model sees of the tool; None hides it. Raises ToolError."""
        return await self._runner(tool).offered(tool)

    async def run(self, invocation: Invocation, started: Started) -> ToolOutcome:
        """Run an invocation to its end. Raises ToolError."""
        return await self._runner(invocation.tool).run(invocation, started)

    async def close(self) -> None:
        """Close every runner."""
        for runner in self._runners.values():
            await runner.close()
        self._runners.clear()

    def _runner(self, tool: Tool) -> ToolRunner:
        factory = self._hooks.tool_runner(tool)
        if factory is None:
            raise ToolError(f"tool {tool.name} is of type {tool.type!r}, which this engine cannot run")
        if factory not in self._runners:
            self._runners[factory] = factory(self._services)
        return self._runners[factory]
