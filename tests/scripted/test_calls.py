"""Logical calls: what is tried again, with what key, until when, and with which credentials."""

import itertools
import json
import random
from contextlib import contextmanager

import pytest

from inferencesh_core.errors import (
    APIError,
    CertificateError,
    ConfigurationError,
    ConnectError,
    InferenceError,
    ReadTimeoutError,
    RequirementsNotMetError,
    StreamError,
    TransportError,
)
from inferencesh_core.flow.effects import sleep
from inferencesh_core.http.messages import Request
from inferencesh_core.plugins import hookimpl
from inferencesh_core.testing.replies import Reply, answer, cut, refused, silence
from inferencesh_core.testing.world import BASE_URL, KEY, World

TASK = {"id": "t1", "status": 7}
ANNOUNCED = {"accept-idempotency-key": "yes"}
RUN = {"app": "acme/echo", "input": {}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def lines(world):
    return [seen.line for seen in world.seen]


class KeyedServer:
    """Makes tasks, one for each idempotency key; ``trouble`` says what becomes of each answer."""

    def __init__(self, trouble, announces=True):
        self.trouble = trouble
        self.headers = ANNOUNCED if announces else {}
        self.tasks = {}
        self.made = 0

    def __call__(self, seen):
        if seen.line != "POST /apps/run":
            return answer({"ok": True}, headers=self.headers)
        kind = next(self.trouble, None)
        if kind in {429, 503}:
            return answer({"detail": "busy"}, kind, self.headers)
        if kind == "refused":
            return refused()
        if kind == 500:
            return answer({"detail": "oops"}, 500, self.headers)
        task = self._task_for(seen)
        return cut() if kind == "answer lost" else answer(task, headers=self.headers)

    def _task_for(self, seen):
        key = seen.headers.get("Idempotency-Key")
        if key not in self.tasks:
            self.made += 1
            self.tasks[key] = (seen.body, {"id": f"t{self.made}", "status": 1})
        body, task = self.tasks[key]
        assert seen.body == body, "the body changed between two tries"
        return task


@pytest.mark.parametrize("kind", [429, 503, 500, "refused", "answer lost"])
def test_a_hundred_transient_failures_of_each_kind_are_all_recovered_with_one_task_each(kind):
    server = KeyedServer(iter([kind, None] * 100))
    client = World(server).client()
    ids = [client.tasks.run(RUN, wait=False)["id"] for _ in range(100)]
    assert len(set(ids)) == 100
    assert server.made == 100


def test_an_answer_lost_several_times_still_makes_one_task_for_each_run():
    luck = random.Random(7)
    server = KeyedServer(iter(lambda: luck.choice(["answer lost", 503, None, None]), ""))
    client = World(server).client(max_attempts=30)
    ids = {client.tasks.run(RUN, wait=False)["id"] for _ in range(300)}
    assert len(ids) == server.made == 300


def test_each_run_has_a_key_of_its_own_and_all_its_tries_the_same_one():
    world = World(KeyedServer(iter([503, 503, None, None])))
    client = world.client()
    for _ in range(2):
        client.tasks.run(RUN, wait=False)
    first, again, third, other = [seen.headers["Idempotency-Key"] for seen in world.seen]
    assert first == again == third != other


def test_a_server_that_never_promised_is_not_sent_an_ambiguous_run_twice():
    world = World(KeyedServer(iter(["answer lost"]), announces=False))
    with pytest.raises(TransportError) as caught:
        world.client().tasks.run(RUN, wait=False)
    assert caught.value.sent
    assert lines(world) == ["POST /apps/run", "GET /health"]


def test_a_server_that_never_promised_is_asked_only_once():
    server = KeyedServer(iter(["answer lost"] * 3), announces=False)
    world = World(server)
    client = world.client()
    for _ in range(3):
        with pytest.raises(TransportError):
            client.tasks.run(RUN, wait=False)
    assert lines(world).count("GET /health") == 1


@pytest.mark.parametrize("reply", [answer(b"<html>", 502), answer(None, 503), cut(), refused()])
def test_a_probe_answered_by_a_broken_proxy_decides_nothing(reply):
    task = answer(TASK, headers=ANNOUNCED)
    world = World([cut(), reply, cut(), answer({}, headers=ANNOUNCED), task])
    client = world.client()
    with pytest.raises(TransportError):
        client.tasks.run(RUN, wait=False)
    assert client.tasks.run(RUN, wait=False)["id"] == "t1"


def test_a_probe_carries_no_credentials():
    world = World([cut(), answer({}, headers=ANNOUNCED), answer(TASK)])
    world.client().tasks.run(RUN, wait=False)
    assert "Authorization" not in world.seen[1].headers


def test_a_probe_does_not_outlast_the_deadline_of_its_call():
    world = World([cut(after=4.0), silence()])
    with pytest.raises(TransportError):
        world.client(deadline=5.0).tasks.run(RUN, wait=False)
    assert world.now <= 5.0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_get_is_tried_again_after_every_passing_status(status):
    world = World([answer(None, status), answer(TASK)])
    assert world.client().tasks.get("t1") == TASK
    assert world.now == 0.25


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 422, 501])
def test_a_lasting_refusal_is_raised_at_once(status):
    world = World([answer({"detail": "no"}, status)])
    with pytest.raises(APIError) as caught:
        world.client().tasks.get("t1")
    assert caught.value.status_code == status
    assert caught.value.attempts == ()


def test_a_conflict_is_tried_again_only_while_the_first_request_is_in_progress():
    busy = {"type": "https://api.inference.sh/errors/idempotency_in_progress", "status": 409}
    world = World([answer(busy, 409, {"retry-after": "2"}), answer(TASK)])
    assert world.client().tasks.run(RUN, wait=False)["id"] == "t1"
    assert world.now == 2.0


def test_pauses_double_up_to_the_cap_and_five_tries_are_the_end():
    world = World(lambda _seen: answer({"detail": "down"}, 503))
    with pytest.raises(APIError, match=r"down \(tried 5 times: HTTP 503\)$") as caught:
        world.client().tasks.get("t1")
    assert len(caught.value.attempts) == 5
    moments = [seen.at for seen in world.seen]
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert pauses == [0.25, 0.5, 1.0, 2.0]


def test_pauses_never_exceed_the_cap():
    world = World([answer(None, 503)] * 8 + [answer(TASK)])
    world.client(max_attempts=9, deadline=100, backoff_cap=3).tasks.get("t1")
    assert world.seen[-1].at == 0.25 + 0.5 + 1 + 2 + 3 * 4


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:01 GMT"}, 9.0),
        ({"retry-after": "soon"}, 0.25),
    ],
)
def test_the_server_says_when_to_come_back_in_seconds_or_by_date(headers, pause):
    world = World([answer(None, 429, headers), answer(TASK)])
    world.client().tasks.get("t1")
    assert world.now == pause


def test_coming_back_later_than_the_deadline_is_an_error_at_once_that_says_when():
    world = World([answer({"detail": "slow down"}, 429, {"retry-after": "120"})])
    with pytest.raises(APIError, match=r"slow down \(try again in 120 s\)"):
        world.client().tasks.get("t1")
    assert world.now == 0


def test_an_upload_that_may_take_its_time_is_not_put_off_for_ever():
    created = answer([{"id": "f", "uri": "inf://f", "upload_url": "https://store.test/f"}])
    world = World([created, answer(None, 503, {"retry-after": "86400"})])
    with pytest.raises(InferenceError, match="try again in 86400 s"):
        world.client().files.upload(b"abc")
    assert world.now == 0


def test_all_tries_together_keep_the_deadline():
    world = World(lambda _seen: silence())
    with pytest.raises(ReadTimeoutError):
        world.client(deadline=70.0, read_timeout=30.0).tasks.get("t1")
    assert world.now == 70.0
    assert len(world.seen) == 3


def test_an_untrusted_certificate_is_not_tried_again():
    world = World([Reply(error=CertificateError("self-signed"))])
    with pytest.raises(CertificateError, match="self-signed"):
        world.client().tasks.get("t1")


def test_a_refused_connection_is_tried_again_whatever_the_call():
    world = World([refused(), refused(), answer(TASK)])
    assert world.client().tasks.run(RUN, wait=False)["id"] == "t1"
    assert lines(world) == ["POST /apps/run"] * 3


def test_a_server_down_for_thirty_seconds_sees_at_most_two_requests_for_each_call():
    world = World(lambda seen: answer(TASK) if seen.at > 30 else answer(None, 503, after=0.1))
    client = world.client()
    calls = sum(outcome.value for outcome in world.run_all(caller_until_up(client) for _ in range(50)))
    assert world.now > 30
    assert len(world.seen) <= 2 * calls


def caller_until_up(client):
    """Call again and again, half a second apart, until the server is up; give the number of calls."""
    calls = 0
    while True:
        calls += 1
        try:
            yield from client.context.api.call("GET", "/tasks/t1")
        except APIError:
            yield from sleep(0.5)
        else:
            return calls


def test_one_call_each_of_fifty_callers_in_an_outage_is_at_most_two_requests_each():
    world = World(lambda seen: cut() if seen.line == "GET /health" else answer(None, 502))
    client = world.client()
    flows = (client.context.api.call("POST", "/apps/run", RUN, creates=True) for _ in range(50))
    world.run_all(flows)
    assert len(world.seen) <= 100


def test_after_an_outage_retries_are_available_again():
    world = World(lambda seen: answer(TASK) if seen.at > 30 else answer(None, 503))
    client = world.client()
    world.run_all([caller_until_up(client) for _ in range(50)])
    for _ in range(10):
        client.tasks.get("t1")
    trouble = iter([answer(None, 503)] * 4 + [answer(TASK)])
    world.server = lambda _seen: next(trouble)
    assert client.tasks.get("t1") == TASK


@pytest.mark.parametrize("body", [TASK, {"success": True, "status": 200, "data": TASK}, {"data": TASK}])
def test_the_three_shapes_of_a_body_are_understood(body):
    assert World([answer(body)]).client().tasks.get("t1") == TASK


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{", b"\xff\xfe"])
def test_an_answer_that_is_no_json_asks_whether_the_address_is_right(body):
    with pytest.raises(APIError, match=f"is {BASE_URL} the API's address?"):
        World([answer(body)]).client().tasks.get("t1")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"t1"', b"{}"])
def test_a_run_answered_by_something_else_than_a_task_is_named(body):
    with pytest.raises(APIError, match="POST /apps/run: the answer should be a task and is"):
        World([answer(body)]).client().tasks.run(RUN, wait=False)


@pytest.mark.parametrize(
    ("body", "got"),
    [(b"", "is empty"), (b"null", "is empty"), (b"true", "is True"), (b"[]", r"is \[\]"), (b'"x"', "is 'x'")],
)
@pytest.mark.parametrize(
    ("verb", "path", "kind"),
    [
        *[("get", "/tasks/t1", "a task"), ("logs", "/tasks/t1/logs", "logs")],
        ("timings", "/tasks/t1/timings", "timings"),
    ],
)
def test_an_answer_of_another_shape_is_named_with_its_call(verb, path, kind, body, got):
    client = World([answer(body)]).client()
    with pytest.raises(APIError, match=f"GET {path}: the answer should be {kind} and {got}$"):
        getattr(client.tasks, verb)("t1")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"success": False, "error": {"code": "not_found", "message": "nope"}}, "HTTP 200: nope"),
        ({"success": False, "data": None}, "HTTP 200: .*success.*false"),
    ],
)
def test_an_answer_that_says_it_failed_is_a_failure_whatever_its_status(body, text):
    for verb in ("get", "logs", "wait_for_completion"):
        with pytest.raises(APIError, match=text) as caught:
            getattr(World(lambda _seen: answer(body)).client().tasks, verb)("t1")
        assert (caught.value.status_code, "success" in caught.value.response_body) == (200, True)


@pytest.mark.parametrize(
    "refusal",
    [
        answer({"detail": f"no such key: Bearer {KEY}"}, 401),
        answer({"errors": [{"key": KEY, "message": f"{KEY} is unknown"}]}, 412),
        answer(f"<html>Bearer {KEY}</html>".encode(), 403),
        answer(f"<html>Bearer {KEY}</html>".encode()),
    ],
)
def test_a_key_that_the_server_repeats_is_not_shown(refusal):
    client = World(lambda _seen: refusal).client()
    for act in (
        lambda: client.tasks.get("t1"),
        lambda: client.tasks.run(RUN),
        lambda: list(client.tasks.stream("t1", auto_reconnect=False)),
    ):
        with pytest.raises(InferenceError) as caught:
            act()
        assert KEY not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
        assert "***" in f"{caught.value} {vars(caught.value)}" or caught.type is StreamError


def test_a_key_too_short_to_be_one_changes_no_text():
    with pytest.raises(APIError, match="k is no key"):
        World([answer({"detail": "k is no key"}, 401)]).client(api_key="k").tasks.get("t1")


def test_missing_requirements_are_told_with_what_to_do():
    missing = {
        "errors": [
            {"type": "secret", "key": "K", "message": "K is not set", "action": {"type": "add_secret"}}
        ]
    }
    with pytest.raises(RequirementsNotMetError, match="K is not set") as caught:
        World([answer(missing, 412)]).client().tasks.run(RUN)
    assert caught.value.errors[0].action.type == "add_secret"


def test_every_request_to_the_api_is_signed_and_names_its_version():
    world = World([answer(TASK)])
    world.client().tasks.get("a/b c")
    seen = world.seen[0]
    assert seen.line == "GET /tasks/a%2Fb%20c"
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["X-API-Version"] == "2"
    assert seen.headers["User-Agent"].startswith("inference-sdk-py/")


def redirect(url, status=307):
    return answer(None, status, {"location": url})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_follows_redirects_within_the_origin(status):
    world = World([redirect("/v1/tasks/t1", status), answer(TASK)])
    assert world.client().tasks.get("t1") == TASK
    assert lines(world) == ["GET /tasks/t1", "GET /v1/tasks/t1"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/tasks/t1",
        "http://api.scripted.test/tasks/t1",
        "https://api.scripted.test:8443/tasks/t1",
        "//evil.test/x",
        "https://api.scripted.test@evil.test/",
        "https://api.scripted.test.evil.test/",
        "mailto:someone@evil.test",
    ],
)
def test_nothing_follows_a_redirect_to_another_origin(url):
    world = World([redirect(url)])
    with pytest.raises(APIError, match="credentials do not follow"):
        world.client().tasks.get("t1")
    assert len(world.seen) == 1


def test_a_stream_does_not_follow_a_redirect_to_another_origin_either():
    world = World(lambda _seen: redirect("https://evil.test/stream"))
    with pytest.raises(APIError, match="credentials do not follow"):
        list(world.client().tasks.stream("t1"))
    assert all(seen.request.url.startswith(BASE_URL) for seen in world.seen)


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_keeps_body_and_key_through_a_redirect(status):
    world = World([redirect("/v1/apps/run", status), answer(TASK)])
    world.client().tasks.run(RUN, wait=False)
    first, second = world.seen
    assert (first.body, first.headers["Idempotency-Key"]) == (second.body, second.headers["Idempotency-Key"])


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_body_is_refused(status):
    with pytest.raises(APIError, match="loses its body"):
        World([redirect("/v1/apps/run", status)]).client().tasks.run(RUN, wait=False)


def test_redirects_in_a_circle_end():
    with pytest.raises(APIError, match="more than 5 redirects"):
        World(lambda _seen: redirect("/tasks/t1")).client().tasks.get("t1")


def test_all_hops_of_a_redirect_together_keep_the_read_timeout():
    world = World(lambda _seen: Reply(307, {"location": "/tasks/t1"}, after=2.0))
    with pytest.raises(ReadTimeoutError):
        world.client(read_timeout=5, max_attempts=1).tasks.get("t1")
    assert world.now == 5.0


class TokenAuth:
    """Signs with a token that it fetches anew when it is refused."""

    def __init__(self):
        self.token = "old"

    def sign(self, request):
        response = yield request.with_headers({"Authorization": f"Token {self.token}"})
        if response.status == 401:
            fresh = yield Request("POST", "https://login.test/token", {})
            self.token = json.loads(fresh.body)["token"]
            yield request.with_headers({"Authorization": f"Token {self.token}"})


def test_a_signer_can_look_at_a_refusal_fetch_a_token_and_sign_again():
    world = World([answer(None, 401), answer({"token": "new"}), answer(TASK), answer(TASK)])
    client = world.client(auth=TokenAuth())
    client.tasks.get("t1")
    client.tasks.get("t1")
    assert [seen.headers.get("Authorization") for seen in world.seen] == [
        *["Token old", None, "Token new"],
        "Token new",
    ]


def test_all_steps_of_a_signer_together_keep_the_read_timeout():
    world = World([answer(None, 401, after=3.0), answer({"token": "new"}, after=1.0), silence()])
    with pytest.raises(ReadTimeoutError):
        world.client(auth=TokenAuth(), read_timeout=5, max_attempts=1).tasks.get("t1")
    assert world.now == 5.0


def test_a_signer_serves_streams_too():
    line = b'{"id": "t1", "status": 10}\n'
    world = World([answer(None, 401), answer({"token": "new"}), answer(line)])
    assert [task["status"] for task in world.client(auth=TokenAuth()).tasks.stream("t1")] == [10]


def test_watchers_see_a_call_once_and_each_try():
    told = []

    class Watcher:
        @hookimpl
        def inferencesh_call(self, info):
            return self._around(f"{info.method} {info.path}")

        @hookimpl
        def inferencesh_attempt(self, info):
            return self._around(info.number)

        @contextmanager
        def _around(self, name):
            told.append(name)
            try:
                yield
            except InferenceError as error:
                told.append(type(error).__name__)
                raise

    world = World([refused(), answer(None, 503), answer({"detail": "gone"}, 404)])
    with pytest.raises(APIError):
        world.client(plugins=[Watcher()]).tasks.get("t1")
    assert told == ["GET /tasks/t1", 1, "ConnectError", 2, 3, "APIError"]


def test_an_error_after_tries_tells_them_newest_first():
    world = World([answer(None, 503), cut(), refused()])
    with pytest.raises(ConnectError) as caught:
        world.client(max_attempts=3).tasks.get("t1")
    assert [text.split(":")[0] for text in caught.value.attempts] == ["scripted", "scripted", "HTTP 503"]
    assert "refused" in caught.value.attempts[0]


def test_cancelling_is_repeated_though_it_is_a_post():
    world = World([cut(), answer(None, 204)])
    assert world.client().tasks.cancel("t1") is None
    assert lines(world) == ["POST /tasks/t1/cancel"] * 2


def test_lists_fetch_their_pages_as_they_are_needed():
    pages = [
        answer({"items": [{"id": "1"}, {"id": "2"}], "has_next": True, "next_cursor": "c"}),
        answer({"items": [{"id": "3"}], "has_next": False, "next_cursor": ""}),
    ]
    world = World(pages)
    found = world.client().tasks.list(page_size=2, search={"fields": ["input"], "term": "cat"})
    assert next(found)["id"] == "1"
    assert len(world.seen) == 1
    assert [task["id"] for task in found] == ["2", "3"]
    assert world.seen[0].json == {
        "limit": 2,
        "filters": [],
        "sort": [],
        "search": {"fields": ["input"], "term": "cat"},
    }
    assert world.seen[1].json["cursor"] == "c"


@pytest.mark.parametrize("page_size", [0, -1])
def test_a_page_of_nothing_is_refused_before_anything_is_sent(page_size):
    world = World([])
    with pytest.raises(ConfigurationError, match=f"page_size must be 1 or more, not {page_size}"):
        next(world.client().tasks.list(page_size=page_size))


@pytest.mark.parametrize("page", [{}, {"items": None}, {"items": [], "has_next": True, "next_cursor": ""}])
def test_a_list_without_items_is_empty(page):
    assert list(World([answer(page)]).client().tasks.list()) == []


@pytest.mark.parametrize("page", [b"null", b"", b"[]", b'"x"', {"items": "t1"}, {"items": [7]}])
def test_an_answer_to_a_list_that_is_no_page_is_named(page):
    with pytest.raises(APIError, match="POST /tasks/list: the answer should be a page of tasks and is"):
        list(World([answer(page)]).client().tasks.list())


@pytest.mark.parametrize("task_id", ["", None, 7, ["t1"]])
def test_an_id_that_is_none_is_refused_before_anything_is_sent(task_id):
    world = World([])
    tasks = world.client().tasks
    for verb in (tasks.get, tasks.cancel, tasks.stream, tasks.wait_for_completion, tasks.logs, tasks.timings):
        with pytest.raises(ValueError, match="a task id is a non-empty string"):
            verb(task_id)
