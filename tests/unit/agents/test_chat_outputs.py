"""Types of outputs: the schema a model is shown, and what its answer becomes."""

import sys
from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from inferencesh_agents.config import AgentSpec
from inferencesh_agents.outputs import OutputType


class Node(BaseModel):
    value: int
    next: "Node | None" = None


@dataclass
class Point:
    x: int
    y: int = 0


CASES = {
    "a model": (Node, {"value": 1, "next": {"value": 2}}, Node(value=1, next=Node(value=2))),
    "a dataclass": (Point, {"x": "3"}, Point(3)),
    "a list": (list[int], {"result": [1, 2]}, [1, 2]),
    "a list that comes bare": (list[int], [1, 2], [1, 2]),
    "a text": (str, {"result": "yes"}, "yes"),
    "a dictionary": (dict[str, int], {"result": 1, "more": 2}, {"result": 1, "more": 2}),
    "one of two": (Node | Point, {"result": {"x": 1, "y": 2}}, Point(1, 2)),
}


@pytest.mark.parametrize(("wanted", "output", "value"), CASES.values(), ids=CASES)
def test_an_output_becomes_its_type(wanted, output, value):
    assert OutputType(wanted).read(output) == value


@pytest.mark.parametrize("wanted", [case[0] for case in CASES.values()], ids=CASES)
def test_what_a_model_is_shown_is_an_object(wanted):
    import jsonschema

    schema = OutputType(wanted).schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"


def test_an_output_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="value"):
        OutputType(Node).read({"value": "x"})


def test_without_pydantic_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ModuleNotFoundError, match=r"inferencesh-agents\[pydantic\]"):
        OutputType(int)


def test_finishing_is_switched_on_beside_the_tools_chosen():
    spec = AgentSpec({"core_app": {"ref": "m"}, "internal_tools": {"plan": True, "finish": False}})
    asked = spec.body(OutputType(int))["agent_config"]
    assert asked["internal_tools"] == {"plan": True, "finish": True}
    assert "output_schema" not in spec.body()["agent_config"]


def test_a_spec_says_who_it_is():
    assert str(AgentSpec("acme/helper@q1")) == "acme/helper@q1"
    assert str(AgentSpec({"name": "Helper"})) == "Helper"
    assert str(AgentSpec({})) == "ad hoc"
