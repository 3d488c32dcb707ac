"""Input against an app's schema: the field and what it should be are named; files come in both forms."""

import pytest

from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.input_schema import InputSchema

SCHEMA = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"$ref": "#/$defs/File"},
        "mask": {"type": "string", "format": "file"},
        "factor": {"type": "integer", "minimum": 1},
        "pages": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/File"}, {"type": "null"}]}},
    },
    "$defs": {"File": {"type": "string", "format": "file"}},
}


@pytest.mark.parametrize(
    "value",
    [
        {"image": "https://x/a.png"},
        {"image": {"uri": "https://x/a.png", "filename": "a.png"}, "factor": 2},
        {"image": "data:,x", "pages": [None, {"uri": "https://x/b"}]},
        {"image": "data:,x", "pages": ["", {}]},
        {"image": {"id": "f1", "uri": "https://x/a.png", "path": "", "user": None}},
    ],
)
def test_files_may_be_addresses_or_objects(value):
    InputSchema(SCHEMA).check(value, "input")


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ({}, "input", "'image' is a required property"),
        ({"image": 5}, "input.image", "expected a file"),
        ({"image": {"path": "/etc/passwd"}}, "input.image", "expected a file"),
        (
            {"image": "x", "mask": ""},
            "input.mask",
            "expected a file: its uri, or an object with a uri, not ''",
        ),
        ({"image": "x", "mask": {}}, "input.mask", "expected a file"),
        ({"image": "x", "factor": "2"}, "input.factor", "is not of type 'integer'"),
        ({"image": "x", "factor": 0}, "input.factor", "less than the minimum of 1"),
        ({"image": "x", "pages": ["y", 7]}, "input.pages[1]", "7"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_should_be(value, field, expected):
    with pytest.raises(Problem) as caught:
        InputSchema(SCHEMA).check(value, "input")
    problem = caught.value
    assert (problem.status, problem.code) == (422, "invalid_input")
    assert problem.extra["errors"][0]["field"] == field
    assert f"{field}: " in problem.detail
    assert expected in problem.detail


def test_every_wrong_field_is_told():
    with pytest.raises(Problem) as caught:
        InputSchema(SCHEMA).check({"image": 5, "factor": "2"}, "input")
    assert {error["field"] for error in caught.value.extra["errors"]} == {"input.image", "input.factor"}
