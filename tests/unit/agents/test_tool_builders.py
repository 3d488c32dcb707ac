import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from inferencesh_agents import tools
from inferencesh_agents.tools import (
    agent_tool,
    app_tool,
    array,
    boolean,
    call_tool,
    enum_of,
    http_tool,
    integer,
    internal_tools,
    mcp_tool,
    number,
    obj,
    optional,
    string,
    tool,
    webhook_tool,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tool-builders.json").read_text())
NAMES = {name: getattr(tools, name) for name in tools.__all__}


def as_json_schema(value):
    """The vector without the marks that the recorded builders left inside items."""
    if isinstance(value, list):
        return [as_json_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: as_json_schema(one) for key, one in value.items() if key != "optional"}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["expression"] for vector in VECTORS])
def test_every_expression_builds_what_the_published_builders_build(vector):
    expression, expected = vector["expression"], vector["json"]
    is_tool = ".build()" in expression
    drops_a_parameter = expression.startswith("app_tool") and ".param(" in expression
    with pytest.warns(UserWarning, match="is not sent") if drops_a_parameter else contextlib.nullcontext():
        built = eval(expression, dict(NAMES))
    assert json.loads(json.dumps(built)) == (as_json_schema(expected) if is_tool else expected)


def test_a_shared_beginning_can_be_used_again():
    common = tool("search").describe("Search").param("pattern", string())
    with_folder = common.param("folder", string()).require_approval()
    assert list(common.build()["client"]["input_schema"]["properties"]) == ["pattern"]
    assert list(with_folder.build()["client"]["input_schema"]["properties"]) == ["pattern", "folder"]
    assert not common.build()["require_approval"]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (tool("t"), lambda one: one.describe("d")),
        (tool("t"), lambda one: one.display_name("d")),
        (
            app_tool("t", "a/b"),
            lambda one: one.setup({"a": 1}).input({"b": 1}).function("f").session_enabled(),
        ),
        (webhook_tool("t", "u"), lambda one: one.secret("S")),
        (http_tool("t", "u"), lambda one: one.method("PUT").auth(bearer="B").header("A", "b")),
        (internal_tools(), lambda one: one.all().plan(enabled=False)),
    ],
)
def test_no_verb_changes_the_builder_it_is_called_on(before, change):
    first = before.build()
    assert change(before).build() != first
    assert before.build() == first


def test_what_build_gives_is_the_callers_own():
    values = {"deep": [1]}
    builder = app_tool("t", "a/b").input(values)
    values["deep"].append(2)
    builder.build()["app"]["input"]["deep"].append(3)
    assert builder.build()["app"]["input"] == {"deep": [1]}
    switches = internal_tools().plan()
    switches.build()["plan"] = False
    assert switches.build() == {"plan": True}


@pytest.mark.parametrize(
    "builder", [app_tool("draw", "a/b"), agent_tool("draw", "a/b"), mcp_tool("draw", "int-1", "draw")]
)
def test_a_parameter_of_a_tool_whose_schema_is_read_elsewhere_is_told_to_be_dropped(builder):
    with pytest.warns(UserWarning, match=r"tool 'draw': .* so 'prompt' is not sent") as caught:
        described = builder.param("prompt", string())
    assert described.build() == builder.build()
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"api_key": "A", "bearer": "B"}, "one of api_key, bearer"),
        ({"bearer": "B", "header": "X"}, "header only together with api_key"),
        ({"api_key": "A", "integration_id": "i"}, "integration_id only together with integration"),
        ({"integration_id": "i"}, "integration_id only together with integration"),
    ],
)
def test_an_auth_that_says_two_things_is_refused(arguments, words):
    with pytest.raises(ValueError, match=f"tool 'c': auth takes {words}"):
        call_tool("c", "https://e.com").auth(**arguments)


def test_an_http_method_is_written_in_capitals_and_must_be_one_that_tools_have():
    assert call_tool("c", "u").method("patch").build()["http"]["method"] == "PATCH"
    with pytest.raises(ValueError, match="'TRACE' is not one of GET, POST"):
        call_tool("c", "u").method("TRACE")


def test_a_parameter_without_a_schema_is_refused_by_name():
    with pytest.raises(TypeError, match="tool 't': parameter 'city' needs a schema like string"):
        tool("t").param("city", "a city")


def test_a_handler_must_be_callable_and_its_time_out_positive():
    with pytest.raises(TypeError, match="tool 't': its handler cannot be called: 'run'"):
        tool("t").handler("run")
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="tool 't': timeout is"):
            tool("t").handler(print, timeout=wrong)


def test_a_handler_comes_with_the_schema_it_belongs_to():
    builder = tool("t").param("a", integer())
    handled = builder.handler(print, timeout=3)
    assert handled == {"schema": builder.build(), "handler": print, "timeout": 3}


def test_properties_of_items_are_required_unless_marked():
    items = array(obj({"a": string(), "b": optional(string("x"))}))["items"]
    assert items == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "description": "x"}},
        "required": ["a"],
    }


@given(
    st.recursive(
        st.sampled_from([string(), integer("n"), boolean(), number(), enum_of(["a", "b"])]),
        lambda inner: (
            st.builds(array, inner)
            | st.builds(optional, inner)
            | st.builds(obj, st.dictionaries(st.sampled_from(["a", "b", "optional"]), inner))
        ),
    )
)
def test_whatever_the_helpers_make_is_json_schema_in_a_tool(schema):
    built = tool("t").param("p", schema).build()["client"]["input_schema"]
    Draft202012Validator.check_schema(built)
    assert built["required"] == ([] if schema.get("optional") is True else ["p"])
    assert '"optional": true' not in json.dumps(built)


def test_a_schema_written_by_hand_keeps_its_words_and_loses_its_marks():
    by_hand = {
        "type": "object",
        "properties": {"optional": {"type": "boolean"}, "b": {"type": "string", "optional": True}, "c": True},
        "additionalProperties": False,
    }
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    built = tool("t").param("o", by_hand).param("p", plain).build()["client"]["input_schema"]["properties"]
    assert built["o"] == {
        "type": "object",
        "properties": {"optional": {"type": "boolean"}, "b": {"type": "string"}, "c": True},
        "required": ["optional", "c"],
        "additionalProperties": False,
    }
    assert built["p"] == plain
