"""Tasks over HTTP, as the published clients expect them (wire protocol 1 and 2)."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from serving import serving

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("tasks"), heartbeat_seconds=0.1, repeat_seconds=0.25) as api:
        yield api


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


def lines(response):
    return [json.loads(line) for line in response.read().splitlines()]


def numbered(answer):
    """The events of a stream, without its heartbeats."""
    return [line for line in lines(_Content(answer.content)) if "seq" in line]


def start_gated(api, gate):
    return api.run("gated", {"gate": str(gate)}).json["id"]


def next_line(response, wanted=None):
    while True:
        line = json.loads(response.readline())
        if wanted is None or wanted(line):
            return line


def has_step(number):
    return lambda line: (line.get("output") or {}).get("step") == number


def test_run_answers_at_once_with_a_whole_task_that_has_just_been_received(api):
    answer = api.run("echo", {"text": "hi"}, variant="default", infra="cloud", workers=None, something_new=1)
    assert answer.status == 200
    task = answer.json
    assert task["status"] in (1, 2)
    assert (task["input"], task["output"], task["app_variant"]) == ({"text": "hi"}, None, "default")
    assert task["created_at"].endswith("Z")
    assert len(task["id"]) == 26


def test_run_is_also_called_run(api):
    assert api.call("POST", "/run", {"app": "echo", "input": {}}).json["id"]


def test_waiting_gives_the_finished_task(api):
    task = api.run("echo", {"text": "hi"}, wait=True).json
    assert (task["status"], task["output"]["text"]) == (10, "hi")


def test_waiting_for_a_task_that_fails_is_a_problem_with_the_task_and_its_error(api):
    answer = api.run("echo", {"text": "fail"}, wait=True)
    assert answer.status == 422
    assert answer.json["type"].endswith("/task_failed")
    assert "asked to fail" in answer.json["detail"]
    assert answer.json["task"]["status"] == 11


@pytest.mark.parametrize("path", ["//apps/run", "/v1/apps/run", "//v1/run"])
def test_clients_with_a_trailing_slash_or_a_version_in_their_base_are_served(api, path):
    assert api.call("POST", path, {"app": "echo", "input": {}}).status == 200


def test_without_the_version_header_everything_is_in_an_envelope(api):
    body = api.call("POST", "/apps/run", {"app": "echo", "input": {}}, version=None).json
    assert (body["success"], body["status"], body["messages"]) == (True, 200, [])
    listed = api.call("POST", "/tasks/list", {}, version=None).json
    assert listed["data"]["items"]


def test_an_unknown_task_is_not_found_in_both_shapes(api):
    bare = api.call("GET", "/tasks/nope")
    assert (bare.status, bare.headers["content-type"]) == (404, "application/problem+json")
    old = api.call("GET", "/tasks/nope", version=None)
    assert (old.status, old.headers["content-type"]) == (404, "application/json")
    assert old.json["error"]["message"] == old.json["detail"]


def test_a_stream_of_an_unknown_task_fails_before_it_begins(api):
    assert api.call("GET", "/tasks/nope/stream", headers=LINES).status == 404


def test_an_unknown_app_is_told_what_exists(api):
    answer = api.call("POST", "/apps/run", {"app": "ecco", "input": {}})
    assert answer.status == 404
    assert "echo" in answer.json["detail"]


def test_missing_requirements_are_never_wrapped(api):
    answer = api.call("POST", "/apps/run", {"app": "needy", "input": {}}, version=None)
    assert answer.status == 412
    assert [error["key"] for error in answer.json["errors"]] == ["NEEDY_KEY"]
    assert answer.json["satisfied"] is False
    assert "NEEDY_KEY" in answer.json["error"]["message"]


def test_a_stream_begins_with_the_whole_task_and_ends_after_the_terminal_line(api, gate):
    task_id = start_gated(api, gate)
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        assert response.getheader("Content-Type") == "application/x-ndjson"
        first = next_line(response)
        assert first["id"] == task_id
        next_line(response, has_step(1))
        gate.touch()
        last = lines(response)[-1]
    assert (last["status"], last["output"]["step"], last["id"]) == (10, 2, task_id)
    assert {"input", "logs", "created_at", "updated_at"} <= last.keys()


def test_a_silent_stream_shows_heartbeats_and_repeats_the_state(api, gate):
    task_id = start_gated(api, gate)
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        state = next_line(response, has_step(1))
        assert next_line(response) == {"type": "heartbeat"}
        again = next_line(response, lambda line: line != {"type": "heartbeat"})
        assert again == state
        gate.touch()
        assert lines(response)[-1]["status"] == 10


def test_a_stream_of_a_finished_task_is_its_terminal_line(api):
    task = api.run("echo", {"text": "done"}, wait=True).json
    found = lines(_Content(api.call("GET", f"/tasks/{task['id']}/stream", headers=LINES).content))
    assert [(line["status"], line["output"]["text"]) for line in found] == [(10, "done")]


@pytest.mark.parametrize("resume", ["header", "query"])
def test_a_stream_resumes_after_an_event_without_loss_or_repetition(api, resume):
    task_id = api.run("echo", {"text": "x"}, wait=True).json["id"]
    path = f"/tasks/{task_id}/stream"
    everything = numbered(api.call("GET", f"{path}?after=0", headers=LINES))
    assert [line["seq"] for line in everything] == list(range(1, len(everything) + 1))
    headers = {**LINES, **({"Last-Event-ID": "1"} if resume == "header" else {})}
    rest = api.call("GET", path if resume == "header" else f"{path}?after=1", headers=headers)
    assert numbered(rest) == everything[1:]


def test_a_step_that_was_over_before_it_could_be_stored_is_told_all_the_same(api):
    for _ in range(2):  # the second is served by a warm worker
        task_id = api.run("echo", {"text": "x"}, wait=True).json["id"]
    told = numbered(api.call("GET", f"/tasks/{task_id}/stream?after=0", headers=LINES))
    assert [(line["seq"], line["status"]) for line in told] == [(1, 1), (2, 7), (3, 10)]
    assert told[1]["worker_id"] == told[2]["worker_id"]
    assert told[1]["updated_at"] == told[2]["events"][1]["event_time"]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30])
def test_an_event_number_that_is_none_is_refused(api, after):
    task_id = api.run("echo", {}).json["id"]
    assert api.call("GET", f"/tasks/{task_id}/stream?after={after}").status == 400


def test_server_sent_events_are_unnamed_and_end_with_done(api):
    task_id = api.run("echo", {"text": "x"}, wait=True).json["id"]
    answer = api.call("GET", f"/tasks/{task_id}/stream")
    assert answer.headers["content-type"] == "text/event-stream"
    events = answer.content.decode().removesuffix("\n\n").split("\n\n")
    assert events[-1].startswith("event: done\n")
    assert all(not event.startswith("event:") for event in events[:-1])
    last = dict(line.split(": ", 1) for line in events[-2].splitlines())
    assert json.loads(last["data"])["status"] == 10
    assert last["id"] == str(json.loads(last["data"])["seq"])


def test_running_as_a_stream_follows_the_new_task(api):
    body = {"app": "echo", "input": {"text": "x"}, "stream": True}
    found = lines(_Content(api.call("POST", "/apps/run", body, headers=LINES).content))
    assert (found[-1]["status"], found[-1]["output"]["text"]) == (10, "x")


def test_leaving_a_stream_leaves_the_task_running(api, gate):
    task_id = start_gated(api, gate)
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        next_line(response)
    gate.touch()
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        assert lines(response)[-1]["status"] == 10


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "application/json", "Content-Length": "0"}, {}], ids=str
)
def test_cancelling_takes_no_body_and_tells_the_truth(api, gate, headers):
    task_id = start_gated(api, gate)
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        next_line(response, has_step(1))
    answer = api.call("POST", f"/tasks/{task_id}/cancel", headers=headers)
    assert (answer.status, answer.json["status"], answer.json["cancelled"]) == (200, 12, True)
    gate.touch()
    assert api.call("GET", f"/tasks/{task_id}").json["status"] == 12


def test_cancelling_a_finished_task_does_not_claim_to_have_cancelled_it(api):
    task_id = api.run("echo", {}, wait=True).json["id"]
    answer = api.call("POST", f"/tasks/{task_id}/cancel", {"force": True, "timeout": 10})
    assert (answer.json["status"], answer.json["cancelled"]) == (10, False)


def test_a_poller_reads_the_status_alone(api):
    task_id = api.run("echo", {}, wait=True).json["id"]
    answer = api.call("GET", f"/tasks/{task_id}/status").json
    assert set(answer) == {"id", "status", "updated_at"}
    assert answer["status"] == 10


def test_logs_and_timings_have_their_shapes(api):
    task_id = api.run("echo", {}, wait=True).json["id"]
    assert set(api.call("GET", f"/tasks/{task_id}/logs").json) == {"task_id", "status", "events", "logs"}
    timings = api.call("GET", f"/tasks/{task_id}/timings").json
    assert {"task_id", "status", "total_duration", "total_duration_ms", "groups", "events"} <= timings.keys()


def test_tasks_are_listed_in_pages(api):
    for _ in range(3):
        api.run("echo", {})
    first = api.call("POST", "/tasks/list", {"limit": 2}).json
    assert (len(first["items"]), first["has_next"], first["items_per_page"]) == (2, True, 2)
    second = api.call("POST", "/tasks/list", {"limit": 2, "cursor": first["next_cursor"]}).json
    assert {task["id"] for task in first["items"]}.isdisjoint(task["id"] for task in second["items"])


def test_a_deleted_task_is_gone_and_the_answer_is_never_empty(api):
    task_id = api.run("echo", {}, wait=True).json["id"]
    answer = api.call("DELETE", f"/tasks/{task_id}", version=None)
    assert (answer.status, answer.json["data"]) == (200, None)
    assert api.call("GET", f"/tasks/{task_id}").status == 404


def test_the_same_key_and_body_is_one_task(api):
    key = {"Idempotency-Key": "key-1"}
    body = {"app": "echo", "input": {"text": "once"}}
    first = api.call("POST", "/apps/run", body, headers=key)
    again = api.call("POST", "/apps/run", dict(reversed(body.items())), headers=key)
    assert first.json["id"] == again.json["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert api.call("POST", "/apps/run", {**body, "input": {}}, headers=key).status == 422


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tkey"])
def test_a_key_that_is_none_is_refused(api, key):
    assert api.call("POST", "/apps/run", {"app": "echo"}, headers={"Idempotency-Key": key}).status == 400


@pytest.mark.parametrize(
    "body", ["{", "[]", "null", '{"app": NaN}', b"\xff", "[" * 100_000], ids=lambda body: repr(body)[:20]
)
def test_a_body_that_is_no_json_object_is_refused(api, body):
    answer = api.call("POST", "/apps/run", body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("timeout", [-1, "5", True])
def test_a_wrong_cancel_timeout_is_refused(api, timeout):
    task_id = api.run("echo", {}, wait=True).json["id"]
    assert api.call("POST", f"/tasks/{task_id}/cancel", {"timeout": timeout}).status == 400


class _Content:
    """A body that was read already."""

    def __init__(self, content):
        self._content = content

    def read(self):
        return self._content


def test_leaving_while_waiting_for_a_task_harms_neither_the_task_nor_others(api, gate):
    parts = urlsplit(api.base_url)
    body = json.dumps({"app": "test/gated", "input": {"gate": str(gate)}, "wait": True})
    head = (
        f"POST /apps/run HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {api.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    seen = {task["id"] for task in api.call("POST", "/tasks/list", {}).json["items"]}
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall((head + body).encode())
        while not (new := {t["id"] for t in api.call("POST", "/tasks/list", {}).json["items"]} - seen):
            pass
    assert api.run("echo", {"text": "next"}, wait=True).status == 200
    gate.touch()
    (task_id,) = new
    with api.opened("GET", f"/tasks/{task_id}/stream", headers=LINES) as response:
        assert lines(response)[-1]["status"] == 10
