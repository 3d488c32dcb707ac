import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core import json_codec, long_strings

LONG = st.text(min_size=1).map(lambda text: text * 40) | st.text('ab"\\\n{}[]:,é\u2028', min_size=1).map(
    lambda text: text * 40
)
VALUES = st.recursive(
    st.none() | st.integers() | st.text() | LONG,
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=6,
)


@given(VALUES, st.booleans(), st.sampled_from([bytes, bytearray]))
def test_a_value_is_what_the_standard_library_reads(value, ascii_only, kind):
    data = kind(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))
    try:
        expected = json.loads(data)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            long_strings.read(data, json.loads)
    else:
        assert long_strings.read(data, json.loads) == expected


@given(st.binary(), st.integers(0, 200), st.binary())
def test_what_is_no_json_is_refused_as_the_standard_library_refuses_it(before, length, after):
    data = before + b"x" * length + after
    try:
        expected = json.loads(data)
    except ValueError as error:
        with pytest.raises(type(error)):
            long_strings.read(data, json.loads)
    else:
        assert long_strings.read(data, json.loads) == expected


@pytest.mark.parametrize(
    "document",
    [
        {"output": {"response": "LONG"}, "status": 7},
        {"rows": [1, ["x", "LONG"], {"y": None}]},
        ["LONG"],
    ],
)
def test_a_long_string_without_escapes_is_never_parsed(document):
    parsed = []

    def loads(data):
        parsed.append(len(data))
        return json.loads(data)

    data = json.dumps(document).replace("LONG", "lorem ipsum " * 10_000).encode()

    assert long_strings.read(data, loads) == json.loads(data)
    assert max(parsed) < 200


@pytest.mark.parametrize(
    "data",
    [
        b'{"LONG": 1}',
        b'{"a": "LONG", "a": 2}',
        b'{"a": "say \\"LONG"}',
        b'{"a": "LONG\\n"}',
        b'"LONG"',
        b'{"a": [NUMBERS], "b": "c"}',
    ],
)
def test_what_only_looks_like_a_long_string_is_read_as_ever(data):
    data = data.replace(b"LONG", b"lorem ipsum " * 100).replace(b"NUMBERS", b"1, 2," * 100 + b"3")

    assert long_strings.read(data, json.loads) == json.loads(data)


@pytest.mark.parametrize("characters", [10, 100_000])
def test_the_codec_gives_long_and_short_strings_alike(characters):
    value = {"a": "é" * characters, "b": [1, 2]}

    assert json_codec.loads(json.dumps(value, ensure_ascii=False).encode()) == value
