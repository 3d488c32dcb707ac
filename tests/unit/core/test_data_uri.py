import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.data_uri import DataURIError, means_data_uri, parse_data_uri


@pytest.mark.parametrize(
    ("uri", "media_type", "parameters", "data"),
    [
        ("data:text/plain;base64,aGVsbG8=", "text/plain", {}, b"hello"),
        ("data:text/plain;base64,aGVsbG8", "text/plain", {}, b"hello"),
        ("data:text/plain;charset=utf-8;base64,aGVsbG8=", "text/plain", {"charset": "utf-8"}, b"hello"),
        ('data:text/plain;a="x;y,\\"z";b=%2C,hi', "text/plain", {"a": 'x;y,"z', "b": ","}, b"hi"),
        ("data:,hello%20w%c3%b6rld", "text/plain", {"charset": "US-ASCII"}, "hello wörld".encode()),
        ("data:;charset=latin-1,%e9", "text/plain", {"charset": "latin-1"}, b"\xe9"),
        ("DATA:Image/PNG;BASE64,iVBORw0KGgo=", "image/png", {}, b"\x89PNG\r\n\x1a\n"),
        ("data:application/octet-stream;base64,-_-_", "application/octet-stream", {}, b"\xfb\xff\xbf"),
        ("data:a/b;base64,aGVs%0AbG8%3D", "a/b", {}, b"hello"),
        ("data:a/b;base64,aGVs\r\n bG8=", "a/b", {}, b"hello"),
        ("data:image/svg+xml,<svg/>", "image/svg+xml", {}, b"<svg/>"),
        ("data:text/plain;base64,", "text/plain", {}, b""),
        ("data:,", "text/plain", {"charset": "US-ASCII"}, b""),
    ],
)
def test_every_legal_form_is_read(uri, media_type, parameters, data):
    assert means_data_uri(uri)
    assert parse_data_uri(uri) == (media_type, parameters, data)


@given(st.binary(), st.booleans(), st.booleans(), st.booleans())
def test_base64_of_any_spelling_survives(data, padded, url_safe, quoted):
    encoded = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    spelled = encoded if padded else encoded.rstrip("=")
    assert parse_data_uri(f"data:a/b;base64,{quote(spelled, safe='') if quoted else spelled}").data == data


@given(st.binary())
def test_percent_encoded_bytes_survive(data):
    assert parse_data_uri(f"data:a/b,{quote(data)}").data == data


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("data:image/png;base64", "expected data:"),
        ("data:text/plain", "expected data:"),
        ("data:image/png;base64,a", "cut short"),
        ("data:image/png;base64,aGVsbG8==", "wrongly padded"),
        ("data:image/png;base64,aG=sbG8=", "not Base64"),
        ("data:image/png;base64,!!!!", "not Base64"),
        ("data:image/png;base64,aGVsbé8=", "not Base64"),
    ],
)
def test_a_malformed_one_is_refused_with_its_start_and_the_reason(uri, complaint):
    assert means_data_uri(uri)
    with pytest.raises(DataURIError, match=complaint) as caught:
        parse_data_uri(uri)
    assert repr(uri[:20])[:-1] in str(caught.value)


def test_a_long_malformed_one_is_quoted_in_part_only():
    with pytest.raises(ValueError, match=r"malformed data URI") as caught:
        parse_data_uri("data:a/b;base64," + "!" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "prose", ["data: 5 rows", "data:", "data: a, b", "database", "data:5,3", "data/x;base64,"]
)
def test_prose_that_starts_alike_is_no_data_uri(prose):
    assert not means_data_uri(prose)
