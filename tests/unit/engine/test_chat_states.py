"""Chats, messages and invocations move as their tables say, and in no other way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_engine.domain.chat import (
    Chat,
    ChatAgent,
    ChatStatus,
    IllegalMove,
    InvocationStatus,
    Message,
    MessageStatus,
    ToolInvocation,
    status_during,
)

CHAT = Chat(id="c1", created_at=1.0, updated_at=1.0, agent=ChatAgent(config={}))
MESSAGE = Message(
    id="m1",
    chat_id="c1",
    created_at=1.0,
    updated_at=1.0,
    order=0,
    role="assistant",
    status=MessageStatus.PENDING,
)
CALL = ToolInvocation(
    id="i1",
    chat_id="c1",
    message_id="m1",
    created_at=1.0,
    updated_at=1.0,
    position=0,
    call_id="call",
    name="look",
    type="client",
    arguments={},
)
OVER = ("completed", "failed", "cancelled")

# As wire protocol 5.8 has them.
INVOCATION_MOVES = {
    "pending": {"in_progress", "awaiting_approval", *OVER},
    "in_progress": {"awaiting_input", *OVER},
    "awaiting_input": {"in_progress", *OVER},
    "awaiting_approval": {"in_progress", "failed", "cancelled"},
    **{status: set() for status in OVER},
}
MESSAGE_MOVES = {
    "queued": {"pending", "ready", "cancelled"},
    "pending": {"ready", "failed", "cancelled"},
    "ready": set(),
    "failed": set(),
    "cancelled": set(),
}
CHAT_MOVES = {
    "idle": {"busy"},
    "completed": {"busy"},
    "busy": {"awaiting_input", "idle", "completed"},
    "awaiting_input": {"busy", "idle"},
}


def can(record, status):
    try:
        moved = record.to(status, 2.0)
    except IllegalMove:
        return False
    return moved.status is status and moved.updated_at == 2.0


@pytest.mark.parametrize(
    ("record", "statuses", "moves"),
    [
        (CALL, InvocationStatus, INVOCATION_MOVES),
        (MESSAGE, MessageStatus, MESSAGE_MOVES),
        (CHAT, ChatStatus, CHAT_MOVES),
    ],
    ids=["invocation", "message", "chat"],
)
def test_only_the_moves_of_the_protocol_are_possible(record, statuses, moves):
    for before in statuses:
        there = {
            after.value
            for after in statuses
            if after != before and can(replace(record, status=before), after)
        }
        assert there == moves[before.value], before


@given(st.lists(st.sampled_from(list(InvocationStatus))))
def test_an_invocation_that_is_over_stays_as_it_is(statuses):
    call, ended = CALL, None
    for status in statuses:
        try:
            call = call.to(status, call.updated_at + 1, result=status.value)
        except IllegalMove:
            continue
        assert ended is None
        ended = call if call.status.terminal else None
    assert ended in (None, call)


def test_an_illegal_move_says_what_cannot_become_what():
    with pytest.raises(IllegalMove, match="tool invocation i1 is completed and cannot become pending"):
        replace(CALL, status=InvocationStatus.COMPLETED).to(InvocationStatus.PENDING, 2.0)


def test_time_does_not_go_back():
    assert replace(MESSAGE, updated_at=5.0).to(MessageStatus.READY, 2.0).updated_at == 5.0


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["awaiting_input"], "awaiting_input"),
        (["awaiting_approval", "completed"], "awaiting_input"),
        (["awaiting_input", "in_progress"], "busy"),
        (["pending", "awaiting_approval"], "busy"),
        (["completed", "failed"], "busy"),
        ([], "busy"),
    ],
)
def test_a_chat_waits_when_only_people_have_something_to_do(statuses, expected):
    calls = [replace(CALL, status=InvocationStatus(status)) for status in statuses]
    assert status_during(calls) == expected
