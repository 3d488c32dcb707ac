"""Files are found where the schema says they are, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_app.llm.models import LLMInput, LLMOutput, ToolCallsMixin, ToolsCapabilityMixin
from inferencesh_engine.file_places import file_places, may_hold_files, with_replaced


class ToolsLLMInput(ToolsCapabilityMixin, LLMInput):
    """As LLM apps write it."""


class ToolsLLMOutput(ToolCallsMixin, LLMOutput):
    """As LLM apps write it."""


FILE = {"type": "string", "format": "file"}
URL = "https://files.example/a.png"
PATH = {"path": "/tmp/a.png"}
RECORD = {"id": "f1", "uri": URL, "upload_url": "", "rating": "unrated"}


def pointers(value, schema):
    return [place.pointer for place in file_places(value, schema)]


def within(name, schema):
    return {"type": "object", "properties": {name: schema}}


@pytest.mark.parametrize(
    "schema",
    [
        FILE,
        {"$ref": "#/$defs/File"},
        {"anyOf": [FILE, {"type": "null"}]},
        {"allOf": [{"$ref": "#/$defs/File"}]},
        {"oneOf": [{"type": "integer"}, {"anyOf": [{"$ref": "#/$defs/File"}]}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [URL, PATH, {"uri": URL}, RECORD], ids=str)
def test_a_member_that_the_schema_calls_a_file_is_one(schema, value):
    places = file_places({"image": value}, {**within("image", schema), "$defs": {"File": FILE}})
    assert [(place.pointer, place.value, place.certain) for place in places] == [(("image",), value, True)]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (within("all", {"type": "array", "items": FILE}), {"all": [URL, URL]}, [("all", 0), ("all", 1)]),
        (within("by", {"type": "object", "additionalProperties": FILE}), {"by": {"a": URL}}, [("by", "a")]),
        (within("two", {"prefixItems": [{"type": "string"}, FILE]}), {"two": ["text", URL]}, [("two", 1)]),
        (within("deep", within("er", FILE)), {"deep": {"er": URL}}, [("deep", "er")]),
    ],
)
def test_files_are_found_inside_arrays_maps_and_objects(schema, value, expected):
    assert pointers(value, schema) == expected


def test_a_tree_of_itself_is_walked_to_its_leaves():
    schema = {"$ref": "#/$defs/Node", "$defs": {}}
    node = {"type": "object", "properties": {"file": FILE, "next": {"$ref": "#/$defs/Node"}}}
    schema["$defs"]["Node"] = node
    assert pointers({"next": {"next": {"file": URL}}}, schema) == [("next", "next", "file")]


def test_a_place_that_takes_text_too_is_not_certain():
    schema = within("x", {"anyOf": [{"type": "string"}, FILE]})
    assert [place.certain for place in file_places({"x": "just text"}, schema)] == [False]


@pytest.mark.parametrize(
    "value", ["file:///etc/passwd", PATH, "/etc/passwd", {"path": "x", "uri": "y"}], ids=str
)
def test_text_and_objects_that_the_schema_describes_otherwise_are_no_files(value):
    schema = within("x", {"anyOf": [{"type": "string"}, {"type": "object"}]})
    assert pointers({"x": value}, schema) == []


@pytest.mark.parametrize(
    "value", ["file:///etc/passwd", "FILE:/etc/passwd", PATH, {"uri": URL, "size": 3}], ids=str
)
def test_where_nothing_is_known_what_looks_like_a_file_counts(value):
    assert pointers({"a": [value]}, None) == [("a", 0)]
    assert pointers({"a": [value]}, within("a", {"type": "array"})) == [("a", 0)]


@pytest.mark.parametrize(
    "value",
    [
        "file:/// says hello",
        "file",
        "/etc/passwd",
        {"path": "x", "mode": "r"},
        RECORD,
        {"size": 1},
        {},
        None,
        5,
    ],
    ids=str,
)
def test_where_nothing_is_known_other_values_are_let_alone(value):
    assert pointers({"a": value}, None) == []


def test_replacing_shares_what_it_does_not_touch_and_keeps_the_original():
    value = {"a": [1, {"b": URL}], "c": {"d": 1}}
    changed = with_replaced(value, {("a", 1, "b"): "new"})
    assert changed == {"a": [1, {"b": "new"}], "c": {"d": 1}}
    assert value["a"][1]["b"] == URL
    assert changed["c"] is value["c"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcpath"), inner, max_size=3)
    ),
    max_leaves=10,
)
SCHEMAS = st.recursive(
    st.sampled_from([FILE, {"type": "string"}, {}, {"$ref": "#"}, {"$ref": "#/$defs/none"}]),
    lambda inner: (
        st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)})
        | st.fixed_dictionaries({"items": inner})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)})
    ),
    max_leaves=8,
)


@given(JSON, SCHEMAS)
def test_every_place_found_is_in_the_value(value, schema):
    for place in file_places(value, schema):
        at = value
        for step in place.pointer:
            at = at[step]
        assert at == place.value


@given(JSON, SCHEMAS)
def test_where_a_schema_can_hold_no_files_none_are_found(value, schema):
    assert may_hold_files(schema) or not file_places(value, schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (within("a", {"type": "string"}), False),
        (within("a", {"type": "array", "items": {"enum": [1]}}), False),
        ({"$ref": "#/$defs/A", "$defs": {"A": within("a", {"$ref": "#/$defs/A"})}}, False),
        ({"$ref": "#/$defs/A", "$defs": {"A": within("a", FILE)}}, True),
        (within("a", {"title": "Anything"}), True),
        (within("a", {"type": "object"}), True),
        (within("a", {"type": "array"}), True),
        ({**within("a", {"type": "string"}), "additionalProperties": True}, True),
        ({}, True),
    ],
)
def test_a_schema_says_whether_files_can_be_in_it(schema, expected):
    assert may_hold_files(schema) is expected


def test_in_data_that_is_said_to_hold_no_files_there_are_none():
    data = {
        "anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "null"}],
        "x-holds-files": False,
    }
    schema = {"type": "object", "properties": {"calls": data, "image": FILE}}
    value = {"calls": [{"arguments": PATH}, PATH], "image": PATH}
    assert pointers(value, schema) == [("image",)]
    assert pointers({"calls": [PATH]}, {"type": "object", "properties": {"calls": {"type": "array"}}})
    assert not may_hold_files(
        {"type": "object", "properties": {"calls": data}, "additionalProperties": False}
    )


CALLS = [{"type": "function", "function": {"name": "read", "arguments": PATH}}]
TOOLS = [{"function": {"name": "read", "parameters": {"properties": PATH}}}]
TOLD = {"text": "", "tools": TOOLS, "context": [{"role": "assistant", "text": "", "tool_calls": CALLS}]}


@pytest.mark.parametrize(
    ("model", "value"), [(ToolsLLMInput, TOLD), (ToolsLLMOutput, {"response": "", "tool_calls": CALLS})]
)
def test_what_a_model_is_told_and_says_of_tools_names_no_files(model, value):
    assert pointers(value, model.model_json_schema()) == []
