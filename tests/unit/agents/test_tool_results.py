import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from inferencesh_agents.tools.results import ResultError, error_text, result_text


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int


class Model(BaseModel):
    when: date
    colour: Colour


@dataclass
class Trip:
    days: list[Model]
    place: PurePosixPath


DAY = date(2026, 1, 2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain 'text'", "plain 'text'"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        ({"a": [1, 2.5, "é"]}, '{"a": [1, 2.5, "é"]}'),
        (Point(1), "[1]"),
        (Model(when=DAY, colour=Colour.RED), '{"when": "2026-01-02", "colour": "red"}'),
        (
            Trip([Model(when=DAY, colour=Colour.RED)], PurePosixPath("/x")),
            '{"days": [{"when": "2026-01-02", "colour": "red"}], "place": "/x"}',
        ),
        ([Colour.RED, DAY, Decimal("1.10"), UUID(int=1)], None),
        ([timedelta(seconds=61), {1}, frozenset()], '["0:01:01", [1], []]'),
        ("half a pair \ud800", "half a pair ?"),
    ],
)
def test_a_text_stays_and_anything_else_becomes_json(result, text):
    expected = text or result_text(result)
    assert result_text(result) == (expected if text is None else text)
    if text is None:
        assert json.loads(expected) == ["red", "2026-01-02", "1.10", "00000000-0000-0000-0000-000000000001"]


@given(JSON)
def test_json_comes_back_as_it_was(value):
    if not isinstance(value, str):
        assert json.loads(result_text(value)) == value


def looped():
    loop = []
    loop.append(loop)
    return loop


def deep():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    return nest


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (object(), "object is not something JSON has"),
        (b"bytes", "bytes is not something JSON has"),
        (Model, "is not something JSON has|has no JSON form"),
        ({(1, 2): 3}, "keys must be"),
        ([float("nan")], "not JSON compliant"),
        (looped(), "Circular"),
        (deep(), "recursion"),
    ],
    ids=["object", "bytes", "class", "keys", "nan", "loop", "deep"],
)
def test_what_json_lacks_is_an_error_that_says_so(result, words):
    with pytest.raises(ResultError, match=words):
        result_text(result)


def test_a_result_may_have_as_many_bytes_as_allowed_and_not_one_more():
    assert result_text("é" * 5, 10) == "é" * 5
    with pytest.raises(ResultError, match="the result has 11 bytes, and 10 are allowed"):
        result_text("é" * 5 + "a", 10)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("x"), '{"error": "KeyError: \'x\'"}'),
        (ValueError(), '{"error": "ValueError"}'),
        (ValueError("two\nlines"), '{"error": "ValueError: two\\nlines"}'),
    ],
)
def test_an_error_names_its_type_and_message(error, text):
    assert error_text(error) == text


def test_an_error_is_told_at_a_bearable_length():
    assert len(error_text(ValueError("x" * 10_000))) < 2_100
