"""The encoder that is made once."""

import json

import pytest

from inferencesh_core.json_encoder import encoder

VALUES = [
    None,
    True,
    'ü\n"\ud83d\ude00',
    12345678901234567890123,
    1.5,
    1e300,
    [],
    {},
    [1, [2.25, {"a": None}]],
    {"a": {"b": [True, False]}, 1: "x", None: 2, 2.5: (3, 4)},
]


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_it_writes_what_the_standard_library_writes(value, separators):
    assert encoder(separators=separators)(value) == json.dumps(value, separators=separators)


def test_it_refuses_what_is_no_json():
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        encoder()(object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoder(allow_nan=False)([float("nan")])
    endless = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        encoder()(endless)


def test_without_the_c_encoder_it_is_that_of_the_standard_library(monkeypatch):
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    assert encoder()({"a": [1, "b"]}) == '{"a": [1, "b"]}'
