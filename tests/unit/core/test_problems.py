import json

import pytest

from inferencesh_core.http.problems import parse_problem

NOON = 1_772_366_400.0  # Sun, 01 Mar 2026 12:00:00 GMT
MISSING = {"type": "secret", "key": "K", "message": "secret K is not set", "action": {"type": "add_secret"}}
PROBLEM_DOCUMENT = {
    "type": "https://api.inference.sh/errors/not_found",
    "title": "Not Found",
    "status": 404,
    "detail": "no task with id t1",
}
OLD_ENVELOPE = {"success": False, "status": 404, "error": {"code": "not_found", "message": "chat not found"}}


def read(body, status=404, headers=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_problem(status, headers or {}, content, now=NOON)


@pytest.mark.parametrize(
    ("body", "code", "title", "detail"),
    [
        (PROBLEM_DOCUMENT, "not_found", "Not Found", "no task with id t1"),
        (OLD_ENVELOPE, "not_found", None, "chat not found"),
        ({**OLD_ENVELOPE, **PROBLEM_DOCUMENT}, "not_found", "Not Found", "no task with id t1"),
        ({"type": "about:blank", "title": "Gone"}, None, "Gone", None),
        ({"code": "SESSION_EXPIRED", "type": "https://x/errors/gone"}, "session_expired", None, None),
        ({"error": "plain words"}, None, None, "plain words"),
        ({"message": "from a proxy"}, None, None, "from a proxy"),
        ({"detail": ["not", "text"], "title": 7}, None, None, None),
    ],
)
def test_a_json_failure_gives_code_title_and_detail(body, code, title, detail):
    problem = read(body)
    assert (problem.code, problem.title, problem.detail) == (code, title, detail)
    assert problem.raw == body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (PROBLEM_DOCUMENT, "no task with id t1"),
        ({"title": "Not Found"}, "Not Found"),
        ({"odd": "x" * 600}, json.dumps({"odd": "x" * 600})),
        (b"<html><h1>502 Bad Gateway</h1></html>", "<html><h1>502 Bad Gateway</h1></html>"),
        (b"y" * 600, "y" * 500),
        (b"", "Request failed"),
        (b"  \n", "Request failed"),
        (b"caf\xe9", "caf�"),
        (b"[1, 2]", "[1, 2]"),
    ],
)
def test_the_message_is_the_best_text_the_body_has(body, message):
    assert read(body).message == message


def test_the_whole_body_is_kept_as_text():
    problem = read(b"y" * 600, status=502)
    assert (problem.status, len(problem.body_text), problem.raw) == (502, 600, None)


@pytest.mark.parametrize(
    ("status", "body", "errors"),
    [
        (412, {"satisfied": False, "errors": [MISSING]}, [MISSING]),
        (412, {"errors": []}, []),
        (412, {"errors": None}, []),
        (412, {"errors": [MISSING, "noise"]}, [MISSING]),
        (412, {"detail": "precondition failed"}, None),
        (412, b"<html>", None),
        (422, {"errors": [MISSING]}, None),
    ],
)
def test_missing_requirements_are_read_from_a_412_only(status, body, errors):
    assert read(body, status=status).errors == errors


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "Sun, 01 Mar 2026 15:00:30 GMT", "Date": "Sun, 01 Mar 2026 15:00:00 GMT"}, 30.0),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT", "Date": "yesterday"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Mon, 99 Foo 2026 12:00:30 GMT"}, None),
        ({"Retry-After": "."}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, seconds):
    assert read(b"", status=429, headers=headers).retry_after == seconds


def test_a_body_nested_beyond_reason_is_text():
    assert read(b"[" * 200_000, status=500).raw is None
