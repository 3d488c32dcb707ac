"""The examples in the document about the engine's tools do what it says."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from inferencesh_core.webhooks import sign
from inferencesh_engine.agents.tools.categories import CATEGORIES
from inferencesh_engine.agents.tools.runner import ToolError
from readme.markdown import blocks_of
from tool_bench import bench, tool_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "engine-tools.md"


@pytest.fixture(scope="module")
def names():
    names = {"__name__": "document"}
    for block in [block for block in blocks_of(DOCUMENT) if block.language == "python"]:
        exec(compile(block.code, f"{DOCUMENT.name}:{block.line}", "exec"), names)
    return names


def test_the_receiver_takes_what_is_signed_and_nothing_else(names):
    headers = sign(names["SECRET"], "inv1", time.time(), b"{}")
    assert names["receive"](headers, b"{}") == 204
    assert names["receive"](headers, b"[]") == 401


def test_the_plugin_brings_its_kind_of_tool(names, tmp_path):
    async def scenario():
        async with bench(tmp_path, plugins=[names["plugin"]]) as tried:
            tool = tool_of("dictionary", "look_up")
            assert (await tried.offered(tool)).parameters["required"] == ["word"]
            assert (await tried.run(tool, {"word": "keel"})).text == "the spine of a ship"
            with pytest.raises(ToolError, match="no mast"):
                await tried.run(tool, {"word": "mast"})

    asyncio.run(scenario())


def test_every_tool_of_the_engine_is_in_its_table():
    text = DOCUMENT.read_text()
    for category in CATEGORIES:
        assert f"| `{category.id}` |" in text
        for name in category.tools:
            assert f"`{name}`" in text
