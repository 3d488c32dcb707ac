import io
import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field

from inferencesh_core.file import File
from inferencesh_core.input_files import InputError, replace_files, without_files
from inferencesh_core.sources import UnusableFileError, source_of


class Kind(str, Enum):
    SOFT = "soft"


@dataclass
class Layer:
    image: Any
    opacity: float = 1.0


class Page(BaseModel):
    model_config = {"arbitrary_types_allowed": True}

    picture: File
    raw: bytes = b"raw"
    where: Path | None = None
    kind: Kind = Kind.SOFT
    link: AnyUrl = AnyUrl("http://h/x")
    full_name: str = Field(default="n", alias="fullName")


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("hello")
    return path


def built(plan):
    return plan.build([f"u{index}" for index in range(len(plan.sources))])


def test_files_are_found_in_every_kind_of_container(note):
    value = {
        "dict": OrderedDict(a=b"1"),
        "list": [b"2", [b"3"]],
        "tuple": (b"4", 5),
        "set": {b"6"},
        "frozen": frozenset([b"7"]),
        "dataclass": Layer(Layer(b"8")),
        "text": "stays",
        "path": note,
        "string": str(note),
        "uri": "data:,x",
    }
    plan = replace_files(value)
    assert built(plan) == {
        "dict": {"a": "u0"},
        "list": ["u1", ["u2"]],
        "tuple": ["u3", 5],
        "set": ["u4"],
        "frozen": ["u5"],
        "dataclass": {"image": {"image": "u6", "opacity": 1.0}, "opacity": 1.0},
        "text": "stays",
        "path": "u7",
        "string": "u7",
        "uri": "u8",
    }


def test_a_pydantic_object_keeps_its_files_and_its_aliases(note):
    plan = replace_files({"page": Page(picture=File(path=note), where=note)})
    assert built(plan)["page"] == {
        "picture": "u0",
        "raw": "u1",
        "where": "u0",
        "kind": "soft",
        "link": "http://h/x",
        "fullName": "n",
    }


def test_each_file_goes_up_once(note, tmp_path):
    same, stream, file = b"same", io.BytesIO(b"stream"), File(path=note)
    link = tmp_path / "link"
    link.symlink_to(note)
    plan = replace_files(
        [same, same, stream, stream, file, file, note, str(note), "data:,x", "data:,x", bytes([1])]
    )
    assert built(plan) == ["u0", "u0", "u1", "u1", "u2", "u2", "u2", "u2", "u3", "u3", "u4"]


def test_objects_that_only_lived_during_the_walk_are_not_taken_for_one_another():
    class Fresh(BaseModel):
        def model_dump(self, **_):
            return {"stream": io.BytesIO(b"x" * 10)}

    assert len(replace_files([Fresh() for _ in range(50)]).sources) == 50


def test_an_address_is_used_as_it_is():
    value = [
        File("http://h/a.png"),
        File("inf://files/x"),
        "https://h/b",
        "inf://files/y",
        {"uri": "http://h/c"},
    ]
    plan = replace_files(value)
    assert plan.sources == ()
    assert plan.build([]) == [
        "http://h/a.png",
        "inf://files/x",
        "https://h/b",
        "inf://files/y",
        {"uri": "http://h/c"},
    ]


def test_values_that_json_lacks_are_spelled_out():
    value = {
        "when": datetime(2024, 1, 2, tzinfo=timezone.utc),
        "id": UUID(int=1),
        "price": Decimal("1.50"),
        "kind": Kind.SOFT,
    }
    assert replace_files(value).build([]) == {
        "when": "2024-01-02T00:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "price": "1.50",
        "kind": "soft",
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet="ab c1"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_plain_json_comes_out_equal_and_its_own_copy(value):
    before = json.dumps(value)
    plan = replace_files(value)
    assert plan.sources == ()
    assert plan.build([]) == value
    assert json.dumps(value) == before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"missing": math.nan}, "input.missing is nan, which JSON has no form for"),
        ({"limits": [0.0, math.inf]}, r"input.limits\[1\] is inf, which JSON has no form for"),
        (Layer("x", -math.inf), "input.opacity is -inf, which JSON has no form for"),
        ({"a": {(1, 2): "x"}}, r"input.a has the key \(1, 2\), and the keys of JSON are text"),
        ({b"a": "x"}, "input has the key b'a'"),
    ],
)
def test_what_json_has_no_form_for_is_named_by_its_place(value, text):
    with pytest.raises(InputError, match=text):
        replace_files(value)


@pytest.mark.parametrize("value", [{2: "a", 1.5: "b", None: "c", True: "d"}, {Kind.SOFT: 1}])
def test_keys_that_json_makes_text_of_are_let_be(value):
    assert json.loads(json.dumps(replace_files(value).build([]))) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        *[{"a": {"p": Path("x")}}, {"a": [b"x"]}, {"a": io.BytesIO(b"x")}, {"a": File(uri="data:,x")}],
        *[{"a": object()}, {"a": math.nan}, {"a": {(1,): 2}}],
    ],
)
def test_where_no_files_belong_they_are_named_by_their_place(value):
    with pytest.raises(InputError, match=r"^setup\.a"):
        without_files(value, "setup")


def test_where_no_files_belong_every_text_is_text(note):
    value = {"path": str(note), "uri": "data:,x", "list": ("a", Kind.SOFT)}
    assert without_files(value, "setup") == {"path": str(note), "uri": "data:,x", "list": ["a", "soft"]}


def test_the_callers_input_is_not_touched():
    value = {"files": [b"1"]}
    assert built(replace_files(value)) == {"files": ["u0"]}
    assert value == {"files": [b"1"]}


def test_a_plan_wants_an_address_for_each_file():
    with pytest.raises(ValueError, match="1 files need as many addresses, not 0"):
        replace_files([b"1"]).build([])


def test_the_policy_for_strings_reaches_every_string(note):
    assert replace_files({"a": [str(note)]}, "never").sources == ()
    assert len(replace_files({"a": ["characterization"]}, "legacy").sources) == 1


def as_published(value):
    """What 0.7.8 did with an input whose every string is a file: it looked into lists and dicts alone."""
    if isinstance(value, list):
        return [as_published(item) for item in value]
    if isinstance(value, dict):
        return {key: as_published(item) for key, item in value.items()}
    return "u0" if isinstance(value, str) else value


@given(
    st.recursive(
        st.just("characterization") | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
        ),
    )
)
def test_legacy_looks_for_strings_where_the_published_client_did(value):
    plan = replace_files(value, "legacy")
    assert json.dumps(built(plan)) == json.dumps(as_published(value))


def test_legacy_still_finds_real_files_in_every_container(note):
    plan = replace_files({"a": (note, "characterization"), "b": Layer("characterization", note)}, "legacy")
    assert built(plan) == {
        "a": ["u0", "characterization"],
        "b": {"image": "characterization", "opacity": "u0"},
    }


def test_unknown_objects_are_asked_about():
    class Picture:
        pass

    plan = replace_files(
        {"p": Picture()}, ask=lambda value: source_of(b"x") if isinstance(value, Picture) else None
    )
    assert built(plan) == {"p": "u0"}


def test_an_error_names_the_place(tmp_path):
    with pytest.raises(UnusableFileError, match=r"^input\.layers\[1\]\.image: cannot upload .*missing"):
        replace_files({"layers": [1, Layer(tmp_path / "missing.png")]})
    with pytest.raises(InputError, match=r"^input\['a b'\] is a object, which is neither JSON nor a file"):
        replace_files({"a b": object()})


def test_an_input_that_contains_itself_is_refused():
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    with pytest.raises(InputError, match=r"input\.a\[0\] contains itself"):
        replace_files(value)


def test_one_object_in_two_places_is_no_cycle():
    shared = {"x": 1}
    assert replace_files([shared, shared]).build([]) == [shared, shared]


def test_an_input_too_deep_is_refused():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError, match="input is nested too deeply"):
        replace_files(value)
