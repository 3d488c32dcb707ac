"""Signed addresses allow exactly what they were signed for."""

from __future__ import annotations

import stat
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_engine.domain.problems import EngineStartError, Problem
from inferencesh_engine.signing import NEVER, Purpose, UrlSigner, kept_key

SIGNER = UrlSigner(b"k" * 32)
ADDRESS = SIGNER.target(Purpose.READ, "f1", "a b/c?.png", 1000)


def query_of(target):
    return dict(parse_qsl(urlsplit(target).query))


def refusal(purpose=Purpose.READ, file_id="f1", query=None, now=999.0):
    with pytest.raises(Problem) as caught:
        SIGNER.check(purpose, file_id, query_of(ADDRESS) if query is None else query, now=now)
    assert caught.value.status == 403
    return caught.value.code


def test_an_address_works_until_it_expires():
    SIGNER.check(Purpose.READ, "f1", query_of(ADDRESS), now=1000.0)
    assert refusal(now=1000.5) == "address_expired"


def test_an_address_without_expiry_always_works():
    target = SIGNER.target(Purpose.READ, "f1", "x", NEVER)
    SIGNER.check(Purpose.READ, "f1", query_of(target), now=1e12)


def test_an_address_to_read_cannot_be_used_to_write():
    assert refusal(purpose=Purpose.WRITE) == "invalid_signature"


def test_an_address_is_for_one_file():
    assert refusal(file_id="f2") == "invalid_signature"


@pytest.mark.parametrize(
    "changed",
    [{"exp": "2000"}, {"exp": "0"}, {"exp": "-1"}, {"exp": "٣"}, {"exp": ""}, {"sig": ""}, {"sig": "é"}],
    ids=str,
)
def test_an_address_that_was_changed_does_not_work(changed):
    assert refusal(query={**query_of(ADDRESS), **changed}) == "invalid_signature"


def test_an_address_without_a_signature_does_not_work():
    assert refusal(query={}) == "invalid_signature"


def test_the_file_name_is_one_part_of_the_path():
    assert urlsplit(ADDRESS).path == "/blobs/f1/a%20b%2Fc%3F.png"


def test_a_file_is_recognised_by_its_address_though_it_has_expired_and_the_engine_moved():
    assert SIGNER.readable_file(f"http://127.0.0.1:1{ADDRESS}") == "f1"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/blobs/f1/x?exp=1000&sig=nonsense",
        "http://127.0.0.1:1/other/f1/x" + ADDRESS[ADDRESS.index("?") :],
        "http://127.0.0.1:1" + SIGNER.target(Purpose.WRITE, "f1", "x", 1000),
        "http://[",
        f"make a thumbnail of http://127.0.0.1:1{ADDRESS}",
        f"see:http://127.0.0.1:1{ADDRESS}",
        f"http://127.0.0.1:1/ is where to find {ADDRESS}",
        "just text",
        "",
    ],
)
def test_other_addresses_are_not_ours(address):
    assert SIGNER.readable_file(address) is None


@given(st.text(max_size=60))
def test_no_text_makes_the_recogniser_fail(text):
    assert SIGNER.readable_file(text) is None


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "state" / "url.key"
    first = kept_key(path)
    assert kept_key(path) == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["url.key"]


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_key_is_not_used(tmp_path, content):
    path = tmp_path / "url.key"
    path.write_bytes(content)
    with pytest.raises(EngineStartError, match=r"url\.key is damaged"):
        kept_key(path)
