"""The examples in the document about tools run as they stand, one after the other."""

from pathlib import Path

import pytest

from inferencesh_agents.tools import Toolbox, ToolCallInfo
from inferencesh_core.testing.world import World
from readme.markdown import blocks_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "tools.md"


@pytest.fixture(scope="module")
def names():
    names = {"__name__": "document"}
    for block in blocks_of(DOCUMENT):
        exec(compile(block.code, f"{DOCUMENT.name}:{block.line}", "exec"), names)
    return names


def test_every_tool_of_the_document_can_be_put_into_tools(names):
    shown = ["find", "draw", "delegate", "notify", "report", "web_search"]
    box = Toolbox.of([*names["tools"], *(names[name] for name in shown)])
    expected = ["forecast", "wait", "search", "draw", "delegate", "notify", "report", "web_search"]
    assert [schema["name"] for schema in box.schemas] == expected
    assert names["ask_first"]["require_approval"] is True


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        (
            "forecast",
            {"place": {"city": "Lyon"}, "day": "2026-01-02"},
            '{"city": "Lyon", "weekday": "Friday", "high": 21, "unit": "C"}',
        ),
        ("wait", {"seconds": 0.001}, "null"),
        (
            "search",
            {"pattern": "*.py", "kinds": ["file"], "limits": {"depth": 1, "hidden": True}},
            '{"found": ["*.py"]}',
        ),
    ],
)
def test_the_tools_that_run_here_give_what_they_seem_to(names, name, arguments, text):
    box = Toolbox.of([*names["tools"], names["find"]])
    answer = World([]).run(box.run(ToolCallInfo("i1", name, arguments)))
    assert (answer.text, answer.failed) == (text, False)
