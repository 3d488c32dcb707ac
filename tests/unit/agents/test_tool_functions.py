import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal, Optional

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from inferencesh_agents.tools import Toolbox, ToolCallInfo, function_tool
from inferencesh_agents.tools.docstrings import parameters_of, summary_of
from inferencesh_core.testing.world import World


class Place(BaseModel):
    city: str
    country: str = "FR"


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Window:
    days: int


def forecast(
    place: Place,
    window: Window,
    unit: Unit = Unit.CELSIUS,
    kind: Literal["short", "long"] = "short",
    since: date | None = None,
    limit: Annotated[int, Field(gt=0, description="Of its own")] = 5,
) -> dict[str, Any]:
    """Forecast the weather,
    as well as can be.

    More words that models need not read.

    Args:
        place: Where,
            exactly.
        unit (Unit): Of the answer: degrees.
        limit: Not this one.

    Returns:
        place: not a parameter.
    """
    return {"types": [type(one).__name__ for one in (place, window, unit, kind, since, limit)]}


def schema_of(fn, **options):
    return function_tool(fn, **options)["schema"]["client"]["input_schema"]


def answer_of(fn, **arguments):
    box = Toolbox.of([fn])
    return World([]).run(box.run(ToolCallInfo("i1", box.schemas[0]["name"], arguments)))


def test_a_function_says_what_it_does_and_takes():
    tool = function_tool(forecast)["schema"]
    schema = tool["client"]["input_schema"]
    assert (tool["name"], tool["display_name"], tool["type"]) == ("forecast", "forecast", "client")
    assert tool["description"] == "Forecast the weather, as well as can be."
    assert schema["required"] == ["place", "window"]
    assert schema["properties"]["place"]["description"] == "Where, exactly."
    assert schema["properties"]["unit"] == {
        "$ref": "#/$defs/Unit",
        "description": "Of the answer: degrees.",
        "default": "C",
    }
    assert schema["properties"]["kind"] == {"type": "string", "enum": ["short", "long"], "default": "short"}
    assert schema["properties"]["limit"]["description"] == "Of its own"
    assert schema["properties"]["limit"]["exclusiveMinimum"] == 0
    assert set(schema["$defs"]) == {"Place", "Window", "Unit"}
    Draft202012Validator.check_schema(schema)


def test_arguments_become_what_the_annotations_say():
    answer = answer_of(forecast, place={"city": "Lyon"}, window={"days": 2}, unit="F", since="2026-01-02")
    assert answer.text == '{"types": ["Place", "Window", "Unit", "str", "date", "int"]}'


def test_wrong_arguments_are_told_by_name():
    for arguments, words in [
        ({"place": {"city": "Lyon"}}, "'window' is a required property"),
        ({"place": {}, "window": {"days": 1}}, "place: 'city' is a required property"),
        ({"place": {"city": "Lyon"}, "window": {"days": 1}, "hour": 3}, "'hour' was unexpected"),
        (
            {"place": {"city": "Lyon"}, "window": {"days": 1}, "since": "soon"},
            "since: Input should be a valid date",
        ),
    ]:
        answer = answer_of(forecast, **arguments)
        assert answer.failed
        assert words in answer.text


def test_an_asynchronous_function_is_awaited():
    async def add(a: int, b: int = 1) -> int:
        return a + b

    assert answer_of(add, a=2).text == "3"


def test_names_that_a_model_class_could_not_have_are_fine():
    def copy(schema: str, model_fields: int, _hidden: bool = False, json: str = "j"):
        return [schema, model_fields, _hidden, json]

    assert answer_of(copy, schema="s", model_fields=1).text == '["s", 1, false, "j"]'


def test_methods_partials_and_objects_are_tools_too():
    class Shop:
        """A shop."""

        def price(self, item: str) -> str:
            """Tell a price."""
            return f"{item}: 3"

        def __call__(self, item: str, key: str = "none") -> str:
            """Sell."""
            return f"{item} {key}"

    shop = Shop()
    assert answer_of(shop.price, item="tea").text == "tea: 3"
    sell = function_tool(partial(shop, key="secret"), name="sell")
    assert sell["schema"]["description"] == "Sell."
    assert list(sell["schema"]["client"]["input_schema"]["properties"]) == ["item"]
    assert sell["handler"]({"item": "tea"}) == "tea secret"


def test_a_field_may_be_the_default():
    def draw(
        size: int = Field(7, ge=1, description="Wide"),
        text: str = Field(description="What"),
        tags: list[str] = Field(default_factory=list),  # noqa: B008
    ):
        return [size, text, tags]

    schema = schema_of(draw)
    assert schema["required"] == ["text"]
    assert schema["properties"]["size"] == {
        "type": "integer",
        "minimum": 1,
        "description": "Wide",
        "default": 7,
    }
    assert answer_of(draw, text="a").text == '[7, "a", []]'


def test_options_stand_before_what_the_function_says():
    tool = function_tool(
        lambda x: x, name="echo", description="Say it again", timeout=4, require_approval=True
    )
    assert tool["schema"]["description"] == "Say it again"
    assert tool["schema"]["require_approval"] is True
    assert tool["timeout"] == 4
    assert tool["schema"]["client"]["input_schema"]["properties"] == {"x": {}}


def test_a_default_that_json_lacks_is_not_shown():
    marker = object()

    def find(text: str, start: Any = marker, far: float = float("inf"), no: Optional[int] = None):  # noqa: UP045
        return start is marker

    properties = schema_of(find)["properties"]
    assert "default" not in properties["start"]
    assert properties["no"]["default"] is None
    assert answer_of(find, text="a").text == "true"


def test_functions_that_cannot_be_told_to_a_model_are_refused():
    class Opaque:
        pass

    def by_place(a: int, /):
        return a

    def many(*words: str):
        return words

    def anything(**words: str):
        return words

    def opaque(x: Opaque):
        return x

    def nowhere(x: "Nowhere"):  # noqa: F821
        return x

    for fn, words in [
        (by_place, "tool 'by_place': a: int has no name to callers"),
        (many, r"tool 'many': \*words: str stands for arguments without names"),
        (anything, r"tool 'anything': \*\*words: str stands for arguments of any name"),
        (opaque, "tool 'opaque': x: .*Opaque cannot be told to a model"),
        (nowhere, "tool 'nowhere': an annotation means nothing: name 'Nowhere' is not defined"),
        (Opaque, "is no function"),
        (3, "3 is no function"),
    ]:
        with pytest.raises(TypeError, match=words):
            function_tool(fn)
    with pytest.raises(ValueError, match="no name of its own: give it one by function_tool"):
        function_tool(lambda x: x)


def test_without_pydantic_the_error_names_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pydantic"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    monkeypatch.delitem(sys.modules, "inferencesh_agents.tools.annotations")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'inferencesh-agents\[pydantic\]'"):
        function_tool(forecast)


@pytest.mark.parametrize(
    ("docstring", "summary", "parameters"),
    [
        (None, "", {}),
        ("Say.", "Say.", {}),
        ("\n    Args:\n        a: One.\n    ", "", {"a": "One."}),
        (
            "Say.\n\nArguments:\n  *rest: More: words.\n  b (int, optional):\n    Below.",
            "Say.",
            {"rest": "More: words.", "b": "Below."},
        ),
        (
            "Say.\n\nArgs:\n\n    a: One.\n\n        Two.\n    b: Three.\nRaises:\n    c: No.",
            "Say.",
            {"a": "One. Two.", "b": "Three."},
        ),
    ],
)
def test_docstrings_are_read_in_googles_style(docstring, summary, parameters):
    assert summary_of(docstring) == summary
    assert parameters_of(docstring) == parameters
