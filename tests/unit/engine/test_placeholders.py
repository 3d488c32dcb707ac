"""Values filled into URLs, headers and arguments stay where they were put."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inferencesh_engine.agents.placeholders import (
    PlaceholderError,
    argument_lookup,
    argument_names,
    context_lookup,
    fill_arguments,
    fill_header,
    fill_url,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
ESCAPES = [
    "..",
    ".",
    "../../admin",
    "a/../../b",
    "..\\x",
    "%2e%2e",
    "a?b=c",
    "a#b",
    "@evil.example",
    "//evil",
    "",
]


def lookups(context=None, arguments=None):
    return {"context": context_lookup(context or {}), "args": argument_lookup(arguments or {})}


def url(template, **context):
    return fill_url(template, lookups(context))


def refused(fill, template, given):
    with pytest.raises(PlaceholderError) as caught:
        fill(template, given)
    return str(caught.value)


def test_a_context_variable_and_an_argument_are_filled_in():
    filled = fill_url(
        "https://api.example.com/{{context.tenant}}/notes?q={{ args.text }}",
        lookups({"tenant": "acme"}, {"text": "a b&c"}),
    )
    assert filled == "https://api.example.com/acme/notes?q=a%20b%26c"


@given(TEXT)
@example("..")
@example("a/../../b")
@example("x\\..\\y")
@example("\x00\r\n")
def test_no_value_leaves_its_segment_of_the_path(value):
    try:
        filled = url("https://api.example.com:8443/users/{{context.who}}/data?keep=1", who=value)
    except PlaceholderError:
        pieces = value.replace("\\", "/").split("/")
        assert not value or "." in pieces or ".." in pieces
        return
    parts = urlsplit(filled)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == (
        "https",
        "api.example.com:8443",
        "keep=1",
        "",
    )
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "users", value, "data"]


@given(TEXT)
@example("&admin=1")
@example("#x")
def test_no_value_leaves_its_parameter_of_the_query(value):
    parts = urlsplit(url("http://h/p?a={{context.v}}&b=2", v=value))
    assert (parts.netloc, parts.path, parts.fragment) == ("h", "/p", "")
    assert parse_qs(parts.query, keep_blank_values=True) == {"a": [value], "b": ["2"]}


@pytest.mark.parametrize("value", ESCAPES)
def test_part_of_a_segment_cannot_be_left_either(value):
    try:
        parts = urlsplit(url("http://h/v1/.{{context.v}}", v=value))
    except PlaceholderError:
        return
    assert parts.netloc == "h"
    assert parts.path.startswith("/v1/.")
    assert unquote(parts.path) not in {"/v1/.", "/v1/.."}


def test_dots_that_come_together_with_those_of_the_template_are_refused():
    assert "path" in refused(fill_url, "http://h/a/.{{context.v}}/b", lookups({"v": "."}))


def test_what_is_filled_in_is_not_filled_in_again():
    assert url("http://h/{{context.a}}", a="{{context.b}}", b="secret") == "http://h/%7B%7Bcontext.b%7D%7D"


@pytest.mark.parametrize(
    "template",
    [
        "https://{{context.tenant}}.example.com/",
        "{{context.tenant}}://example.com/",
        "https://example.com:{{context.tenant}}/",
        "https://{{context.tenant}}@example.com/",
        "https://user:word@example.com/",
        "{{context.tenant}}",
        "ftp://example.com/",
        "/relative",
        "",
        "https://exa mple.com/",
    ],
)
def test_scheme_host_and_port_are_written_out(template):
    assert refused(fill_url, template, lookups({"tenant": "acme"}))


def test_an_unknown_variable_is_an_error_that_names_the_known_ones():
    said = refused(fill_url, "http://h/{{context.user}}", lookups({"tenant": "acme"}))
    assert said == "there is no context.user; there are: tenant"


@pytest.mark.parametrize(
    "template",
    [
        "http://h/{{context.a.b}}",
        "http://h/{{context}}",
        "http://h/{{ context.a",
        "http://h/{{context['a']}}",
        "http://h/{{a}}",
        "http://h/{{secrets.KEY}}",
        "http://h/${{secrets.KEY}}",
        "http://h/${{context.a}}",
        "http://h/{{env.HOME}}",
    ],
)
def test_only_flat_names_of_what_belongs_there_are_placeholders(template):
    assert "{{context.KEY}} or {{args.KEY}}" in refused(fill_url, template, lookups({"a": "x"}))


def test_what_no_url_may_hold_is_encoded_in_the_template_too():
    assert url("http://h/a b/é\r\n?q=x y&z=%20[1]") == "http://h/a%20b/%C3%A9%0D%0A?q=x%20y&z=%20[1]"


def test_a_fragment_is_not_sent():
    assert url("http://h/a#{{context.b}}") == "http://h/a"


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3"), (True, "true"), (1.5, "1.5"), ("é", "%C3%A9"), ([1, 2], "%5B1%2C2%5D")]
)
def test_an_argument_in_a_url_is_text_or_json(value, shown):
    assert fill_url("http://h/{{args.v}}", lookups(arguments={"v": value})) == f"http://h/{shown}"


def test_null_has_no_place_in_a_url():
    assert "null" in refused(fill_url, "http://h/{{args.v}}", lookups(arguments={"v": None}))


def test_the_arguments_a_template_takes_are_known():
    assert argument_names("http://h/{{args.a}}/{{context.b}}?c={{ args.c-d }}") == {"a", "c-d"}


@given(TEXT)
def test_a_header_has_no_control_characters(value):
    given_values = lookups({"v": value})
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        assert "control characters" in refused(fill_header, "id {{context.v}}", given_values)
    else:
        assert fill_header("id {{context.v}}", given_values) == f"id {value}".strip(" ")


def test_a_secret_goes_into_a_header_with_its_dollar_sign_only():
    given_values = {"context": context_lookup({}), "secrets": {"KEY": "v"}.__getitem__}
    assert fill_header("Token ${{secrets.KEY}}", given_values) == "Token v"
    assert "${{secrets.NAME}}" in refused(fill_header, "Token {{secrets.KEY}}", given_values)


def test_context_is_filled_into_every_text_of_the_arguments():
    arguments = {
        "a": ["x {{context.t}}", 3, None],
        "b": {"c": "{{ context.t }}"},
        "d": "{{ other }} {% if %}",
    }
    assert fill_arguments(arguments, {"t": "acme"}) == {
        "a": ["x acme", 3, None],
        "b": {"c": "acme"},
        "d": "{{ other }} {% if %}",
    }


def test_an_unknown_variable_in_an_argument_is_an_error_too():
    assert "context.nope" in refused(fill_arguments, {"a": "{{context.nope}}"}, {})
