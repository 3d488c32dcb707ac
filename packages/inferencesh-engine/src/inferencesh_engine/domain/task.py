"""A task's life: its statuses, the moves between them, and how one change leads to the next state.

A task is a `TaskSpec`, which never changes, and a `TaskState`, which is replaced by every `Change`. Changes
are numbered by `seq`, from 1, without gaps; state N is the fold of changes 1..N. What is stored, streamed and
resumed are these changes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from inferencesh_core.statuses import TERMINAL_STATUSES
from inferencesh_core.statuses import TaskStatus as TaskStatus  # noqa: PLC0414  # the rooms around use it

from .encoded import NULL, Encoded
from .values import value

if TYPE_CHECKING:
    from collections.abc import Iterable


_STEPS = [status for status in TaskStatus if TaskStatus.RECEIVED <= status <= TaskStatus.UPLOADING]


def _later(status: TaskStatus) -> frozenset[TaskStatus]:
    """Steps may be skipped, never retraced; the end and cancelling can be reached from every step."""
    return frozenset(step for step in _STEPS if step > status) | TERMINAL_STATUSES


# The wire protocol's rule (section 2.4): the rank never falls, but a dispatched task may be requeued.
MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    **{status: _later(status) for status in _STEPS},
    TaskStatus.DISPATCHED: _later(TaskStatus.DISPATCHED) | {TaskStatus.RECEIVED, TaskStatus.QUEUED},
    TaskStatus.UPLOADING: TERMINAL_STATUSES | {TaskStatus.CANCELLING},
    **dict.fromkeys(TERMINAL_STATUSES, frozenset[TaskStatus]()),
}


class IllegalMoveError(ValueError):
    """A change that the task's state does not allow."""


@value(frozen=True)
class TaskMarks:
    """How a task is shown to others.

    Attributes:
        visibility: One of `ownership.VISIBILITIES`.
    """

    visibility: str = "private"
    is_featured: bool = False


@value(frozen=True, kw_only=True)
class TaskSpec:
    """What was asked for; fixed when the task is accepted, its marks aside.

    Attributes:
        app: The reference as the caller wrote it.
        created_at: Unix time in seconds.
        run_at: Unix time before which the task does not start; None starts it at once.
        function: None means the app's default function.
        session_id: The session it is a call of; None for a task without one.
        session_timeout: The idle time-out it asked for when it made that session, in seconds.
    """

    id: str
    created_at: float
    app: str
    app_id: str
    app_version_id: str
    input: Encoded = NULL
    setup: Encoded = NULL
    app_variant: str = ""
    function: str | None = None
    infra: str = "private"
    workers: tuple[str, ...] | None = None
    webhook: str | None = None
    run_at: float | None = None
    metadata: Encoded = NULL
    session_id: str | None = None
    session_timeout: int | None = None
    marks: TaskMarks = TaskMarks()


@value(frozen=True)
class Step:
    """A status and when it was entered (Unix seconds)."""

    status: TaskStatus
    at: float
    seq: int


@value(frozen=True)
class LogText:
    """The newest text of one log type; times are Unix seconds."""

    log_type: int
    created_at: float
    updated_at: float
    content: str


@value(frozen=True, kw_only=True)
class TaskState:
    """Where a task stands after the change numbered `seq`."""

    seq: int
    attempt: int = 1
    status: TaskStatus
    updated_at: float
    output: Encoded = NULL
    error: str | None = None
    worker_id: str | None = None
    steps: tuple[Step, ...] = ()
    logs: tuple[LogText, ...] = ()

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after it."""
        return self.status in TERMINAL_STATUSES


@value(frozen=True, kw_only=True)
class Change:
    """What one event changed; None leaves a thing as it was.

    Attributes:
        seq: The event's number in its task, from 1.
        at: Unix time in seconds.
        attempt: A higher number than the state's starts a new attempt, which begins as queued.
        logs: Pairs of log type and text to append.
    """

    seq: int
    at: float
    attempt: int
    status: TaskStatus | None = None
    output: Encoded | None = None
    error: str | None = None
    worker_id: str | None = None
    logs: tuple[tuple[int, str], ...] = ()

    @property
    def is_step(self) -> bool:
        """Whether it says no more than that the task has come to a status, and perhaps to a worker."""
        return self.status is not None and self.output is None and self.error is None and not self.logs


def allowed(state: TaskState, attempt: int, status: TaskStatus | None) -> bool:
    """Whether a change of this attempt to this status (None: the same) may follow the state."""
    if state.terminal or attempt < state.attempt:
        return False
    if attempt > state.attempt:
        return status is TaskStatus.QUEUED and state.status is not TaskStatus.CANCELLING
    return status is None or status in MOVES[state.status]


def received(spec: TaskSpec) -> TaskState:
    """The state of every task when it is accepted: its first change."""
    return told_by((Step(TaskStatus.RECEIVED, spec.created_at, 1),))


def told_by(steps: tuple[Step, ...]) -> TaskState:
    """The state of a task that has made these steps, and nothing else, and has no worker yet."""
    last = steps[-1]
    return TaskState(seq=last.seq, status=last.status, updated_at=last.at, steps=steps)


def before_running(state: TaskState) -> TaskState:
    """The last state before a worker had the task, which has made nothing but steps."""
    return told_by(tuple(takewhile(lambda step: step.status < TaskStatus.RUNNING, state.steps)))


def apply(state: TaskState, change: Change, *, max_log_chars: int) -> TaskState:
    """The state after the change; raises IllegalMoveError when it may not follow.

    Logs keep their newest `max_log_chars` characters of each type.
    """
    if change.seq != state.seq + 1 or not allowed(state, change.attempt, change.status):
        raise IllegalMoveError(f"{change} cannot follow {state.status.name} (seq {state.seq})")
    # A further attempt begins with nothing of the one before. Written out: `replace` takes thrice as long.
    output, worker_id = (NULL, None) if change.attempt > state.attempt else (state.output, state.worker_id)
    return TaskState(
        seq=change.seq,
        attempt=change.attempt,
        status=state.status if change.status is None else change.status,
        updated_at=change.at,
        output=output if change.output is None else change.output,
        error=state.error if change.error is None else change.error,
        worker_id=worker_id if change.worker_id is None else change.worker_id,
        steps=_steps(state, change),
        logs=appended(state.logs, change.logs, change.at, max_log_chars) if change.logs else state.logs,
    )


def _steps(state: TaskState, change: Change) -> tuple[Step, ...]:
    if change.status is None:
        return state.steps
    return (*state.steps, Step(change.status, change.at, change.seq))


def appended(
    logs: tuple[LogText, ...], entries: Iterable[tuple[int, str]], at: float, max_chars: int | None
) -> tuple[LogText, ...]:
    """The logs with more (log type, text) entries, each type cut to its newest `max_chars` (None: all)."""
    by_type = {log.log_type: log for log in logs}
    for log_type, text in entries:
        known = by_type.get(log_type) or LogText(log_type, at, at, "")
        content = known.content + text
        by_type[log_type] = replace(
            known, updated_at=at, content=content[-max_chars:] if max_chars else content
        )
    return tuple(by_type.values())
