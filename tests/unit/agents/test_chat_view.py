"""A chat as its lines tell it: what is news, when a turn is over, what is due."""

import pytest

from chat_scripts import HEARTBEAT, chat, invocation, message, now, said
from inferencesh_agents.chat import ChatView, Turn, arguments_of, is_older, standing, text_of
from inferencesh_core.errors import APIError

TURN = Turn("c1", message(2, "pending"))


def hear(view, *lines):
    for line in lines:
        view.accept(line)
    return view


DONE = said(2, text="hello")

ENDS = {
    "idle after the turn's answer": ((now("busy"), DONE, now("idle")), True),
    "completed after it": ((now("busy"), DONE, now("completed")), True),
    "the idle of the time before": ((now("idle"),), False),
    "idle, busy, answer, idle": ((now("idle"), now("busy"), DONE, now("idle")), True),
    "an answer, and no status yet": ((now("busy"), DONE), False),
    "waiting for input": ((now("busy"), said(2, tools=[invocation()]), now("awaiting_input")), False),
    "a turn that was over before we came": ((DONE, now("idle")), True),
    "one of several steps, of which the last is told": ((said(5, text="hello"), now("idle")), True),
    "the answer of the turn before": ((said(0, text="old"), now("idle")), False),
    "stopped": ((now("busy"), said(2, "cancelled"), now("idle")), True),
    "failed": ((now("busy"), said(2, "failed"), now("idle")), True),
    "idle while a tool of the turn is open": ((said(2, tools=[invocation()]), now("idle")), False),
    "a run that works, whatever the status": (
        (DONE, now("idle", active_run={"id": "r", "state": "working"})),
        False,
    ),
    "a run that is over": ((DONE, now("busy", active_run={"id": "r", "state": "completed"})), True),
    "the chat of somebody else": ((DONE, {"event": "chats", "data": {"id": "c2", "status": "idle"}}), False),
}


@pytest.mark.parametrize(("lines", "is_over"), ENDS.values(), ids=ENDS)
def test_a_turn_is_over_once_an_end_is_told_that_is_its_own(lines, is_over):
    assert hear(ChatView("c1", TURN), *lines).is_over is is_over


def test_without_a_turn_the_first_idle_line_is_the_end():
    assert hear(ChatView("c1"), said(2, text="old"), now("idle")).is_over


def test_an_idle_line_that_proves_nothing_asks_for_the_record():
    view = hear(ChatView("c1", TURN), now("busy"), now("idle"))
    assert view.is_in_doubt
    assert not view.is_over


RECORDS = {
    "the record has the answer": ((now("idle"),), chat("idle", [message(2, text="hello")]), True),
    "the turn has not begun": ((now("idle"),), chat("idle", [message(2, "pending")]), False),
    "it ran and left no answer": (
        (now("busy"), now("idle")),
        chat("idle", [message(2, "pending")]),
        True,
    ),
    "it runs": ((now("busy"), now("idle")), chat("busy", [message(2, "pending")]), False),
    "the record has no messages": ((now("idle"),), chat("idle"), True),
}


@pytest.mark.parametrize(("lines", "record", "is_over"), RECORDS.values(), ids=RECORDS)
def test_the_record_decides_what_a_line_left_open(lines, record, is_over):
    view = hear(ChatView("c1", TURN), *lines)
    view.reconcile(record, record["chat_messages"])
    assert view.is_over is is_over
    assert not view.is_in_doubt


def test_a_queued_message_outlasts_the_turn_before_it():
    view = ChatView("c1", Turn("c1", message(4, "queued")))
    hear(view, now("busy"), said(5, text="the other turn's"), now("idle"))
    assert not view.is_over
    assert not view.is_in_doubt
    hear(view, now("busy"), said(4, text="mine"), now("idle"))
    assert view.is_over


def test_a_change_is_told_once():
    view = ChatView("c1", TURN)
    assert view.accept(now("busy")).chat["status"] == "busy"
    assert view.accept(now("busy")) == (None, ())
    assert [each["id"] for each in view.accept(DONE).messages] == ["m2"]
    assert view.accept(DONE) == (None, ())
    assert view.accept(HEARTBEAT) == (None, ())


def test_the_record_tells_only_what_the_stream_did_not():
    view = hear(ChatView("c1", TURN), now("busy"), said(2, "pending", "he"))
    record = chat("busy", [message(1, role="user"), message(2, "pending", "hello")])
    change = view.reconcile(record, record["chat_messages"])
    assert change.chat is None
    assert [text_of(each) for each in change.messages] == ["", "hello"]


def test_messages_inside_a_chat_line_count_as_well():
    change = ChatView("c1", TURN).accept(now("busy", messages=[message(2, text="hello")]))
    assert [each["id"] for each in change.messages] == ["m2"]


def test_changed_fields_are_put_into_what_is_known():
    view = hear(ChatView("c1"), said(2, "pending", "hello"))
    change = view.accept(
        {"event": "chat_messages", "data": {"id": "m2", "status": "ready"}, "fields": ["status"]}
    )
    assert change.messages[0]["status"] == "ready"
    assert text_of(change.messages[0]) == "hello"


@pytest.mark.parametrize(
    "line",
    [
        None,
        7,
        "text",
        [],
        {},
        {"event": "chat_messages"},
        {"event": "chat_messages", "data": []},
        {"event": "chat_messages", "data": {}},
        {"event": "chat_messages", "data": {"id": "m9", "chat_id": "c2"}},
        {"event": "delta", "data": {"delta": "x", "seq": 1, "resource_id": "m2"}},
        {"event": "agent_runs", "data": {"id": "r1", "state": "working"}},
    ],
)
def test_lines_of_other_kinds_are_passed_over(line):
    assert ChatView("c1", TURN).accept(line) == (None, ())


OLDER = {
    "pending after ready": (message(2, "pending", "hello"), message(2, text="hello"), True),
    "less text while it is written": (message(2, "pending", "he"), message(2, "pending", "hello"), True),
    "other text": (message(2, "pending", "no"), message(2, "pending", "hello"), False),
    "more text": (message(2, "pending", "hello you"), message(2, "pending", "hello"), False),
    "a tool that was over is open": (
        message(2, tools=[invocation()]),
        message(2, tools=[invocation(status="completed")]),
        True,
    ),
    "a tool that was over is gone": (
        message(2),
        message(2, tools=[invocation(status="failed")]),
        True,
    ),
    "one more tool": (
        message(2, tools=[invocation(status="completed"), invocation(2)]),
        message(2, tools=[invocation(status="completed")]),
        False,
    ),
}


@pytest.mark.parametrize(("snapshot", "known", "older"), OLDER.values(), ids=OLDER)
def test_a_snapshot_of_before_is_known_by_what_goes_back(snapshot, known, older):
    assert is_older(snapshot, known) is older


def due(*tools, status=None):
    view = hear(ChatView("c1", TURN), now("busy"), said(2, tools=tools))
    if status:
        view.accept(now(status))
    return [each["id"] for each in view.due()]


def test_tools_that_come_together_are_due_together():
    assert due(invocation(1), invocation(2, "pending")) == []
    assert due(invocation(1), invocation(2)) == ["ti1", "ti2"]
    assert due(invocation(1), invocation(2, "pending"), status="awaiting_input") == ["ti1"]


def test_only_what_waits_for_somebody_outside_is_due():
    elsewhere = invocation(1, "in_progress", type="app")
    assert due(elsewhere, invocation(2, "pending", type="app")) == []
    assert due(elsewhere, invocation(2)) == ["ti2"]
    assert due(invocation(1, "in_progress")) == ["ti1"]
    assert due(invocation(1, "awaiting_approval", type="http")) == ["ti1"]
    assert due(invocation(1, "completed"), invocation(2, "failed"), invocation(3, "cancelled")) == []


def test_what_a_turn_before_waits_for_is_due_when_a_message_is_queued_behind_it():
    view = hear(ChatView("c1", Turn("c1", message(4, "queued"))), said(2, tools=[invocation()]))
    assert [each["id"] for each in view.due()] == ["ti1"]


def test_arguments_may_be_an_object_or_its_text():
    assert arguments_of(invocation(args={"a": 1})) == {"a": 1}
    assert arguments_of(invocation(args='{"a": 1}')) == {"a": 1}
    assert arguments_of(invocation(args="")) == {}
    assert arguments_of({"function": None}) == {}
    assert arguments_of(invocation(args="[1]")) is None
    assert arguments_of(invocation(args="{broken")) is None


def test_a_chat_stands_as_its_run_says_where_there_is_one():
    assert standing(None) is None
    assert standing({"status": "idle"}) == "idle"
    assert standing({"status": "idle", "active_run": None}) == "idle"
    assert standing({"status": "idle", "active_run": {"state": "input_required"}}) == "awaiting_input"
    assert standing({"status": "busy", "active_run": {"state": "canceled"}}) == "idle"


@pytest.mark.parametrize(
    "reply", [None, [], {}, {"assistant_message": None}, {"assistant_message": {"id": 1}}]
)
def test_an_answer_that_is_no_message_is_an_error(reply):
    with pytest.raises(APIError, match="no message"):
        Turn.of(reply)
