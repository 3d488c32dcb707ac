"""What is taken for valid without a validator is valid for the validator, and so is what apps usually get."""

import subprocess
import sys
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from inferencesh_engine.plain_schema import surely_fits

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 1.0, 1.5, "", "a", "b", "ab", float("nan")])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"])


def keywords(inner):
    """Schemas of some of the keywords; `not` stands for all that are not known."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "const": SCALARS,
            "pattern": st.sampled_from(["a", "^b$"]),
            "minimum": st.sampled_from([0, 1, 1.5]),
            "exclusiveMaximum": st.sampled_from([0, 1, 1.5]),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "title": NAMES,
            "$ref": st.just("#/$defs/named"),
        },
    )


PARTS = st.recursive(st.booleans() | keywords(st.booleans()), keywords, max_leaves=4)


@given(PARTS, PARTS, VALUES)
def test_what_surely_fits_is_valid(schema, definition, value):
    whole = {"allOf": [schema], "$defs": {"named": definition}}
    try:
        sure = surely_fits(whole)(value)
    except RecursionError:
        return  # a definition that is itself
    if sure:
        assert Draft202012Validator(whole).is_valid(value)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: Annotated[float, Field(ge=0, lt=10)] = 0


class Tree(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=9, pattern="^[a-z]+$")]
    below: "list[Tree]" = []


class Everyday(BaseModel):
    text: str
    colour: Colour = Colour.RED
    mode: Literal["quick", "slow"] = "quick"
    points: Annotated[list[Point], Field(max_length=3)] = []
    numbers: dict[str, float] = {}
    tree: Tree | None = None
    anything: object = None


@pytest.mark.parametrize(
    "value",
    [
        {"text": "x"},
        {"text": "x", "colour": "blue", "mode": "slow", "points": [{"x": 1}, {"x": 2, "y": 9.5}]},
        {"text": "x", "numbers": {"a": 1, "b": 0.5}, "tree": None, "anything": [1, {"a": None}]},
        {"text": "x", "tree": {"name": "a", "below": [{"name": "b", "below": []}]}, "more": 1},
    ],
)
def test_everyday_input_of_everyday_models_is_in_no_doubt(value):
    assert surely_fits(Everyday.model_json_schema())(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [True]},
        {"type": "tuple"},
        {"type": 5},
        {"properties": 5},
        {"properties": {"a": 5}},
        {"required": 5},
        {"minimum": "1"},
        {"pattern": "("},
        {"pattern": 5},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema"},
        5,
        None,
    ],
)
def test_of_schemas_that_are_odd_nothing_is_said(schema):
    assert not surely_fits({"anyOf": [schema]})({"a": [1]})


def test_a_valid_value_loads_no_validator():
    program = (
        "import sys; from inferencesh_engine.input_schema import InputSchema\n"
        "InputSchema({'properties': {'a': {'type': 'string'}}}).check({'a': 'b'}, 'input')\n"
        "assert not {'jsonschema', 'referencing'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
