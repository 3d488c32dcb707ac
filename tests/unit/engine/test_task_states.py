"""A task's life: which moves are legal, and what a change does to the state."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.statuses import TERMINAL_STATUSES, TaskStatus
from inferencesh_engine.domain.encoded import NULL, Encoded
from inferencesh_engine.domain.task import (
    MOVES,
    Change,
    IllegalMoveError,
    TaskSpec,
    allowed,
    apply,
    received,
)

SPEC = TaskSpec(id="t1", created_at=100.0, app="a", app_id="a1", app_version_id="v1")
REAL = [status for status in TaskStatus if status is not TaskStatus.UNKNOWN]

changes = st.lists(
    st.tuples(st.integers(0, 2), st.none() | st.sampled_from(REAL), st.text(max_size=20)), max_size=60
)


def state_at(status, attempt=1):
    state = received(SPEC)
    if status is TaskStatus.RECEIVED:
        return state
    return apply(state, Change(seq=2, at=101.0, attempt=attempt, status=status), max_log_chars=100)


def walk(steps):
    """Every state that a random sequence of wishes leads to, refused ones left out."""
    states = [received(SPEC)]
    for raise_attempt, status, text in steps:
        state = states[-1]
        attempt = state.attempt + raise_attempt - 1
        if allowed(state, attempt, status):
            change = Change(
                seq=state.seq + 1, at=state.updated_at + 1, attempt=attempt, status=status, logs=((1, text),)
            )
            states.append(apply(state, change, max_log_chars=30))
    return states


@given(changes)
def test_a_terminal_state_is_the_last_one(steps):
    assert not any(state.terminal for state in walk(steps)[:-1])


@given(changes)
def test_within_an_attempt_the_status_falls_only_from_dispatched(steps):
    states = walk(steps)
    for before, after in itertools.pairwise(states):
        if before.attempt == after.attempt and after.status < before.status:
            requeued = before.status is TaskStatus.DISPATCHED
            assert requeued or (before.status, after.status) == (TaskStatus.UPLOADING, TaskStatus.CANCELLING)


@given(changes)
def test_attempts_never_fall_and_each_new_one_begins_as_queued(steps):
    states = walk(steps)
    for before, after in itertools.pairwise(states):
        assert after.attempt >= before.attempt
        if after.attempt > before.attempt:
            assert after.status is TaskStatus.QUEUED


@given(changes)
def test_seq_counts_without_gaps_and_steps_record_every_status(steps):
    states = walk(steps)
    assert [state.seq for state in states] == list(range(1, len(states) + 1))
    assert states[-1].steps[-1].status is states[-1].status


@given(changes)
def test_logs_keep_their_newest_characters(steps):
    accepted = walk(steps)
    for state in accepted:
        assert all(len(log.content) <= 30 for log in state.logs)


@pytest.mark.parametrize("status", [s for s in REAL if s not in TERMINAL_STATUSES])
@pytest.mark.parametrize("end", sorted(TERMINAL_STATUSES))
def test_every_step_may_end_in_every_way(status, end):
    assert end in MOVES[status]


@pytest.mark.parametrize("end", sorted(TERMINAL_STATUSES))
@pytest.mark.parametrize("status", [*REAL, None])
def test_nothing_follows_an_end(end, status):
    ended = state_at(end)
    assert not allowed(ended, 1, status)
    assert not allowed(ended, 2, status)


def test_a_late_word_of_an_old_attempt_is_refused():
    second = apply(
        state_at(TaskStatus.RUNNING),
        Change(seq=3, at=102.0, attempt=2, status=TaskStatus.QUEUED),
        max_log_chars=100,
    )
    assert not allowed(second, 1, TaskStatus.COMPLETED)
    with pytest.raises(IllegalMoveError):
        apply(second, Change(seq=4, at=103.0, attempt=1, status=TaskStatus.COMPLETED), max_log_chars=100)


def test_a_new_attempt_forgets_the_output_and_worker_of_the_one_before():
    running = apply(
        state_at(TaskStatus.RUNNING),
        Change(seq=3, at=102.0, attempt=1, output=Encoded.of({"n": 1}), worker_id="w1"),
        max_log_chars=100,
    )
    again = apply(running, Change(seq=4, at=103.0, attempt=2, status=TaskStatus.QUEUED), max_log_chars=100)
    assert (running.output.value, running.worker_id) == ({"n": 1}, "w1")
    assert (again.output, again.worker_id) == (NULL, None)


def test_a_task_being_cancelled_is_not_tried_again():
    assert not allowed(state_at(TaskStatus.CANCELLING), 2, TaskStatus.QUEUED)


def test_a_change_with_a_gap_before_it_is_refused():
    with pytest.raises(IllegalMoveError):
        apply(received(SPEC), Change(seq=3, at=101.0, attempt=1, status=TaskStatus.QUEUED), max_log_chars=100)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_encoded_json_gives_back_its_value(value):
    assert Encoded(Encoded.of(value).text).value == value


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
def test_what_json_cannot_say_is_a_value_error(value):
    with pytest.raises(ValueError, match="JSON"):
        Encoded.of(value)
