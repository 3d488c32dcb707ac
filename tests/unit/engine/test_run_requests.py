"""`POST /apps/run` bodies."""

import pytest

from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.domain.requests import parse_run


def test_what_the_published_client_sends_is_understood():
    request = parse_run(
        {
            "app": "acme/upscale:run",
            "input": None,
            "function": None,
            "session": None,
            "infra": "private",
            "workers": None,
            "webhook": None,
            "variant": "default",
            "something_new": {"is": "ignored"},
        }
    )
    assert request.app == "acme/upscale:run"
    assert request.input.value is None
    assert (request.infra, request.variant, request.function, request.workers) == (
        "private",
        "default",
        None,
        None,
    )


@pytest.mark.parametrize("infra", ["private", "cloud", "private_first", "", None])
def test_every_infra_of_the_wire_is_taken(infra):
    assert parse_run({"app": "a", "infra": infra, "wait": None, "stream": False}).infra == (
        infra or "private"
    )


def test_an_unknown_infra_is_told_the_known():
    with pytest.raises(Problem, match="infra must be one of private, cloud, private_first, not 'zz'"):
        parse_run({"app": "a", "infra": "zz"})


def test_times_are_read_with_any_offset():
    assert (
        parse_run({"app": "a", "run_at": "2026-03-01T09:00:00Z"}).run_at
        == parse_run({"app": "a", "run_at": "2026-03-01T10:00:00+01:00"}).run_at
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "app"),
        ({"app": ""}, "app"),
        ({"app": 5}, "app"),
        ({"app": "a\ud800"}, "app"),
        ({"app": "a", "function": ["run"]}, "function"),
        ({"app": "a", "workers": "w1"}, "workers"),
        ({"app": "a", "workers": [1]}, "workers"),
        ({"app": "a", "run_at": "tomorrow"}, "run_at"),
        ({"app": "a", "infra": "zz"}, "infra"),
        ({"app": "a", "wait": "yes"}, "wait"),
        ({"app": "a", "wait": 1}, "wait"),
        ({"app": "a", "stream": "no"}, "stream"),
        ({"app": "a", "webhook": 1}, "webhook"),
        ({"app": "a", "webhook": "example.com/told"}, "webhook"),
        ({"app": "a", "webhook": "file:///etc/passwd"}, "webhook"),
        ({"app": "a", "webhook": "http://[half"}, "webhook"),
        ({"app": "a", "webhook": "http://host:99999/"}, "webhook"),
        ({"app": "a", "webhook": "http://host/with a space"}, "webhook"),
        ({"app": "a", "webhook": f"http://{'h' * 2042}"}, "webhook"),
        ({"app": "a", "input": {"x": float("inf")}}, "input"),
    ],
)
def test_what_is_wrong_is_named(body, field):
    with pytest.raises(Problem) as caught:
        parse_run(body)
    assert (caught.value.status, caught.value.extra["field"]) == (422, field)
    assert field in caught.value.detail


@pytest.mark.parametrize("timeout", [1, 60, 3600, None])
def test_a_new_session_may_say_when_it_expires(timeout):
    request = parse_run({"app": "a", "session": "new", "session_timeout": timeout})
    assert (request.session, request.session_timeout) == ("new", timeout)


@pytest.mark.parametrize("timeout", [0, -1, 3601, "5", 1.5, True, [60]])
def test_a_session_timeout_is_a_number_of_seconds_from_1_to_3600(timeout):
    with pytest.raises(Problem, match="from 1 to 3600") as caught:
        parse_run({"app": "a", "session": "new", "session_timeout": timeout})
    assert (caught.value.status, caught.value.extra["field"]) == (422, "session_timeout")


@pytest.mark.parametrize("session", ["sess_1", None, ""])
def test_only_a_new_session_takes_a_timeout(session):
    with pytest.raises(Problem, match="only"):
        parse_run({"app": "a", "session": session, "session_timeout": 60})


def test_a_call_of_a_session_cannot_be_put_off():
    with pytest.raises(Problem, match="run_at"):
        parse_run({"app": "a", "session": "new", "run_at": "2999-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", None), (f"http://{'h' * 2041}", f"http://{'h' * 2041}"), ("HTTPS://h", "HTTPS://h")],
)
def test_a_webhook_is_a_web_address_or_nothing(given, kept):
    assert parse_run({"app": "a", "webhook": given}).webhook == kept
