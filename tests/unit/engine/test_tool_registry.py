"""The runner of a tool is found through the plugins, and there is one of each kind."""

from __future__ import annotations

import asyncio

import pytest

from inferencesh_engine.agents.tools.runner import Offered, ToolError, ToolOutcome
from inferencesh_engine.plugins import EngineHooks, hookimpl
from tool_bench import bench, tool_of


class SearchRunner:
    """A runner that another package would bring."""

    def __init__(self, made):
        self.closed = False
        made.append(self)

    async def offered(self, tool):
        return Offered.of(tool, None, "Search.")

    async def run(self, call, started):
        await started("exec1")
        return ToolOutcome(text=f"found {call.arguments['q']}")

    async def close(self):
        self.closed = True


class SearchPlugin(EngineHooks):
    """A plugin that adds a kind of tool, and takes over those of one server.

    Attributes:
        made: The runners that were made.
    """

    def __init__(self):
        self.made = []

    def make(self, _services):
        return SearchRunner(self.made)

    @hookimpl
    def inferencesh_tool_runner(self, tool):
        ours = tool.type == "search" or tool.spec.get("integration_id") == "ours"
        return self.make if ours else None


def test_a_plugin_brings_a_kind_of_tool(tmp_path):
    plugin = SearchPlugin()

    async def scenario():
        async with bench(tmp_path, plugins=[plugin]) as tried:
            offered = await tried.offered(tool_of("search"))
            outcome = await tried.run(tool_of("search"), {"q": "lamps"})
            mcp = await tried.run(tool_of("mcp", integration_id="ours"), {"q": "more"})
        return offered, outcome, mcp, tried.executions

    offered, outcome, mcp, executions = asyncio.run(scenario())
    assert (offered.description, outcome.text, mcp.text) == ("Search.", "found lamps", "found more")
    assert executions == ["exec1", "exec1"]
    assert [runner.closed for runner in plugin.made] == [True]


@pytest.mark.parametrize("kind", ["app", "agent", "hook", "http", "call", "mcp", "internal"])
def test_the_kinds_of_the_wire_protocol_are_there(tmp_path, kind):
    async def scenario():
        async with bench(tmp_path) as tried:
            return tried.registry._runner(tool_of(kind))

    assert asyncio.run(scenario()) is not None


def test_a_kind_nobody_knows_is_an_error_that_names_tool_and_kind(tmp_path):
    async def scenario():
        async with bench(tmp_path) as tried:
            with pytest.raises(ToolError, match="tool probe is of type 'magic'"):
                await tried.offered(tool_of("magic"))

    asyncio.run(scenario())
