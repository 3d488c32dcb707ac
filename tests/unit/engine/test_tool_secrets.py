"""Secrets of tools: only declared ones, only where they may go, and never in what comes back."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inferencesh_engine.agents.tools.runner import ToolError
from inferencesh_engine.agents.tools.secrets import CallSecrets, scrubbed
from inferencesh_engine.settings import SecretRule, Settings


def secrets(host, *allowed, value="v"):
    settings = Settings(tool_secrets={"KEY": SecretRule(allowed)})
    return CallSecrets(settings, {"KEY": value, "HOME": "somewhere"}, host)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", "api.example.com"),
        ("API.example.com", "api.example.com"),
        ("a.b.example.com", "*.example.com"),
        ("anything", "*"),
    ],
)
def test_a_secret_goes_where_it_may(host, allowed):
    assert secrets(host, "other.example", allowed).value("KEY") == "v"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", ()),
        ("evil-example.com", ("*.example.com",)),
        ("example.com", ("*.example.com",)),
        ("api.example.com.evil", ("api.example.com",)),
        ("api.example.com", ("example.com",)),
    ],
)
def test_a_secret_goes_nowhere_else(host, allowed):
    with pytest.raises(ToolError, match=f"secret KEY may not be sent to {host}"):
        secrets(host, *allowed).value("KEY")


def test_what_is_not_declared_is_no_secret_of_tools_though_the_engine_has_it():
    with pytest.raises(ToolError, match=r"tool_secrets: \{HOME: \{hosts: \[h\]\}\}"):
        secrets("h", "*").value("HOME")


def test_an_empty_secret_is_not_set():
    with pytest.raises(ToolError, match="KEY is not set"):
        secrets("h", "*", value="").value("KEY")


@given(st.text(min_size=1))
@example('s3cret/+ü"value')
def test_no_form_of_a_secret_is_left(value):
    asked = secrets("h", "*", value=value)
    asked.value("KEY")
    in_json = [json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    for form in (value, quote(value, safe=""), *in_json):
        assert asked.scrub(form) == "[secret KEY]"


def test_only_what_was_used_is_looked_for():
    assert secrets("h", "*", value="a").scrub("a b") == "a b"


def test_a_secret_within_another_does_not_keep_it_from_being_found():
    assert scrubbed("abcdef abc", {"SHORT": "abc", "LONG": "abcdef"}) == "[secret LONG] [secret SHORT]"


def test_a_value_put_where_a_name_belongs_is_not_repeated():
    with pytest.raises(ToolError, match="names its secret") as caught:
        secrets("api.example.com", "*").value("whsec_c2VjcmV0")
    assert "whsec" not in str(caught.value)
