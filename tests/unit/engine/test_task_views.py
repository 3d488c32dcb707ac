"""Tasks on the wire."""

import json

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.encoded import Encoded
from inferencesh_engine.domain.task import Change, TaskSpec, apply, received
from inferencesh_engine.domain.views import SpecView, TaskEvent, rfc3339, timings_dto

SPEC = TaskSpec(
    id="2khet8d1p6z26krbtvn9d7rkth",
    created_at=1_772_355_600.25,
    app="acme/x",
    app_id="a1",
    app_version_id="v1",
    input=Encoded.of({"text": "hi"}),
)


def completed():
    state = received(SPEC)
    steps = [
        (TaskStatus.QUEUED, 0.5, {}),
        (TaskStatus.SETTING_UP, 1.5, {}),
        (TaskStatus.RUNNING, 2.0, {"worker_id": "w1", "logs": ((1, "hello\n"),)}),
        (TaskStatus.COMPLETED, 5.0, {"output": Encoded.of({"text": "ü"})}),
    ]
    for status, after, more in steps:
        change = Change(seq=state.seq + 1, at=SPEC.created_at + after, attempt=1, status=status, **more)
        state = apply(state, change, max_log_chars=100)
    return state


def test_the_line_of_an_event_is_its_dto_and_its_number():
    event = TaskEvent(SpecView(SPEC), completed())
    line = json.loads(event.json)
    assert line.pop("seq") == event.seq == 5
    assert line == event.task
    assert b"\n" not in event.json


def test_a_dto_has_the_fields_that_clients_read():
    task = TaskEvent(SpecView(SPEC), completed()).task
    assert (task["id"], task["short_id"], task["status"]) == (SPEC.id, "2khet8d1", 10)
    assert (task["input"], task["output"], task["worker_id"]) == ({"text": "hi"}, {"text": "ü"}, "w1")
    assert task["created_at"] == "2026-03-01T09:00:00.250000Z"
    assert [event["status"] for event in task["events"]] == [1, 2, 6, 7, 10]
    assert [(log["log_type"], log["content"]) for log in task["logs"]] == [(1, "hello\n")]
    assert "error" not in task


def test_every_time_has_microseconds_and_z():
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(None) is None


def test_timings_add_up():
    timings = timings_dto(SPEC.id, completed())
    assert (timings["status"], timings["total_duration_ms"], timings["total_duration"]) == (
        "completed",
        5000,
        "5.000s",
    )
    assert [(group["label"], group["duration_ms"]) for group in timings["groups"]] == [
        ("queue", 1500),
        ("setup", 500),
        ("run", 3000),
    ]
    assert sum(event.get("duration_ms", 0) for event in timings["events"]) == 5000
    assert timings["events"][0]["next_status"] == "queued"
