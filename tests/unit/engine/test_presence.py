"""The token and the announcement of an engine are kept for its user alone."""

from __future__ import annotations

import stat

import pytest

from inferencesh_engine.domain.problems import EngineStartError
from inferencesh_engine.presence import Presence, find_presence, kept_token

PRESENCE = Presence("http://127.0.0.1:1", 7, "abc")


def test_a_token_is_made_once(tmp_path):
    token = kept_token(tmp_path, None)
    assert len(token) > 40
    assert kept_token(tmp_path, None) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_token_written_by_the_user_is_the_token(tmp_path):
    (tmp_path / "token").write_text("mine\n")
    assert kept_token(tmp_path, None) == "mine"


def test_a_token_given_takes_the_place_of_the_one_kept(tmp_path):
    kept_token(tmp_path, None)
    assert kept_token(tmp_path, "given") == "given"
    assert (tmp_path / "token").read_text() == "given"


@pytest.mark.parametrize("given", ["", None])
def test_an_empty_token_is_no_token(tmp_path, given):
    (tmp_path / "token").write_text(" \n")
    assert kept_token(tmp_path, given).startswith("inf_")


UNUSABLE = ["   ", "a b", "é", "a\n", "a\tb", "\x7f", "a\udcff"]


@pytest.mark.parametrize("given", UNUSABLE, ids=ascii)
def test_a_token_that_no_header_can_carry_is_refused(tmp_path, given):
    with pytest.raises(EngineStartError, match="visible ASCII"):
        kept_token(tmp_path, given)
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("kept", ["a b", "é", "a\nb"], ids=ascii)
def test_a_kept_token_that_no_header_can_carry_is_refused_with_the_file(tmp_path, kept):
    (tmp_path / "token").write_bytes(kept.encode("latin-1"))
    with pytest.raises(EngineStartError, match=r"token: .*visible ASCII"):
        kept_token(tmp_path, None)
    assert kept_token(tmp_path, "given") == "given"


def test_an_engine_withdraws_only_its_own_announcement(tmp_path):
    PRESENCE.announce(tmp_path)
    assert find_presence(tmp_path) == PRESENCE
    newer = Presence("http://127.0.0.1:2", 8, "def")
    newer.announce(tmp_path)
    PRESENCE.withdraw(tmp_path)
    assert find_presence(tmp_path) == newer
    newer.withdraw(tmp_path)
    assert find_presence(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": "x"}', "\x00"])
def test_a_damaged_announcement_is_no_announcement(tmp_path, content):
    (tmp_path / "engine.json").write_text(content)
    assert find_presence(tmp_path) is None
