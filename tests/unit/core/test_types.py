import json
import typing
from enum import Enum
from pathlib import Path

import pytest

from inferencesh_core import statuses, types

SPEC = json.loads((Path(__file__).parents[3] / "spec" / "api-types.json").read_text())


def all_fields(name):
    record = SPEC["records"][name]
    inherited = [field for base in record["extends"] for field in all_fields(base)]
    return [*inherited, *record["fields"]]


@pytest.mark.parametrize("name", SPEC["enums"])
def test_an_enum_has_the_members_of_the_spec(name):
    enum = getattr(types, name)
    assert {member.name: member.value for member in enum} == SPEC["enums"][name]["members"]
    assert issubclass(enum, Enum)
    assert issubclass(enum, {"str": str, "int": int}[SPEC["enums"][name]["kind"]])


@pytest.mark.parametrize("name", SPEC["records"])
def test_a_record_has_the_fields_of_the_spec_and_every_type_resolves(name):
    record = getattr(types, name)
    assert set(typing.get_type_hints(record)) == set(all_fields(name))
    assert not record.__total__


@pytest.mark.parametrize("name", SPEC["aliases"])
def test_an_alias_is_a_container_type(name):
    assert typing.get_origin(getattr(types, name)) in {list, dict}


def test_task_status_is_one_class():
    assert types.TaskStatus is statuses.TaskStatus


def test_optional_and_nested_types_are_the_real_ones():
    hints = typing.get_type_hints(types.TaskDTO)
    assert hints["error"] == (str | None)
    assert hints["status"] is statuses.TaskStatus
    assert hints["logs"] == list[types.TaskLog]
    assert hints["id"] is str
    assert typing.get_type_hints(types.ToolParameters)["properties"] == dict[str, types.ToolParameterProperty]


def test_tool_enums_read_as_json_schema_words():
    assert types.ToolCallType.TOOL_TYPE_FUNCTION.value == "function"
    assert types.ToolParamType.STRING == "string"
