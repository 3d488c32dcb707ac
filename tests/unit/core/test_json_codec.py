import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core import json_codec

STDLIB = json_codec._stdlib_codec()
CODECS = {"stdlib": STDLIB, "orjson": json_codec._orjson_codec(STDLIB)}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@pytest.fixture(params=CODECS.values(), ids=CODECS)
def codec(request):
    return request.param


@given(JSON_VALUES)
def test_the_standard_library_reads_what_either_codec_wrote(value):
    assert [STDLIB.loads(codec.dumps(value)) for codec in CODECS.values()] == [value, value]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        ('{"t": "é"}', {"t": "é"}),
        (b' \r\n{"a": 1}\t\r\n', {"a": 1}),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[Infinity]", [math.inf]),
        (rb'"\ud800"', "\ud800"),
    ],
)
def test_both_read_the_same(codec, data, value):
    assert codec.loads(data) == value


@pytest.mark.parametrize("data", [b"", b" ", b"{", b"1 2", b"1\xc2\xa0", b'"\xff"', "{'a': 1}"])
def test_what_is_not_json_is_a_value_error(codec, data):
    with pytest.raises(ValueError, match=r".+"):
        codec.loads(data)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"a": [1, None, True]}, b'{"a":[1,null,true]}'),
        ([math.nan, math.inf, -math.inf, 1.5], b"[null,null,null,1.5]"),
        (2**70, b"1180591620717411303424"),
        ({1: "x"}, b'{"1":"x"}'),
        ((1, 2), b"[1,2]"),
        ("\ud800", rb'"\ud800"'),
    ],
)
def test_both_write_the_same(codec, value, data):
    assert codec.dumps(value) == data


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_has_no_json_form_is_a_type_error(codec, value):
    with pytest.raises(TypeError, match="JSON serializable"):
        codec.dumps([value])


@pytest.mark.parametrize(("setting", "used"), [("stdlib", "False"), ("", "True")])
def test_the_environment_keeps_orjson_out(setting, used):
    use = "from inferencesh_core import json_codec; json_codec.codec()"
    code = f"import sys; {use}; print('orjson' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "INFERENCESH_JSON": setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == used


def test_the_module_functions_use_the_codec_of_the_process():
    assert json_codec.loads(json_codec.dumps({"a": 1})) == {"a": 1}
