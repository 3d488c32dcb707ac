"""Tasks read back: what was asked for, where it stands, and every state on the way there."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..domain.encoded import Encoded
from ..domain.task import (
    Change,
    LogText,
    Step,
    TaskMarks,
    TaskSpec,
    TaskState,
    TaskStatus,
    appended,
    apply,
    received,
    told_by,
)
from .tasks import ENDED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

_SPEC = (
    "id, created_at, app, app_id, app_version_id, app_variant, function, infra, workers, webhook, run_at,"
    " session_id, session_timeout, visibility, is_featured, setup, input, metadata"
)
_STATE = "seq, attempt, updated_at, status, worker_id, error, output, steps"
_Row = tuple[Any, ...]


class History:
    """The store's tasks, read over one connection; for one thread at a time.

    States carry the newest `max_log_chars` characters of each log type.
    """

    def __init__(self, connection: sqlite3.Connection, max_log_chars: int) -> None:
        self._db = connection
        self._max_log_chars = max_log_chars

    def get(self, task_id: str) -> tuple[TaskSpec, TaskState] | None:
        """What was asked for and where it stands; None when there is no such task."""
        row = self._db.execute(f"SELECT {_SPEC} FROM tasks WHERE id = ?", (task_id,)).fetchone()  # noqa: S608
        return self._latest(_spec(row)) if row is not None else None

    def unfinished(self) -> list[tuple[TaskSpec, TaskState]]:
        """Every task that has not ended, oldest first."""
        query = f"SELECT {_SPEC} FROM tasks WHERE status < {ENDED} ORDER BY number"  # noqa: S608
        return [self._latest(_spec(row)) for row in self._db.execute(query).fetchall()]

    def after(self, spec: TaskSpec, base: TaskState, *, at_most: int) -> list[TaskState]:
        """The states that followed `base`, in order, as far as they are committed; the next `at_most`."""
        return list(islice(self._after(spec, base), at_most))

    def _after(self, spec: TaskSpec, base: TaskState) -> Iterator[TaskState]:
        state, row = base, self._row(spec, base)
        for event in self._events(spec.id, base.seq):
            state = yield from _between(state, row, event[0])
            state = self._next(spec.id, state, event)
            yield state
        if row.attempt == state.attempt:
            state = yield from _between(state, row, row.seq)
        if row.seq > state.seq:
            yield row

    def logs(self, task_id: str) -> tuple[LogText, ...]:
        """All log text of a task that is kept."""
        return self._with_logs(task_id, (), 0, None, max_chars=None)

    def _latest(self, spec: TaskSpec) -> tuple[TaskSpec, TaskState]:
        state = self._row(spec, received(spec))
        if not state.terminal:
            for event in self._events(spec.id, state.seq):
                state = self._next(spec.id, state, event)
        return spec, state

    def _row(self, spec: TaskSpec, before: TaskState) -> TaskState:
        """What the task's row says, given a state before: the final state, or the one it was stored in."""
        query = f"SELECT {_STATE} FROM tasks WHERE id = ?"  # noqa: S608
        row = self._db.execute(query, (spec.id,)).fetchone()
        if row is None or row[-1] is None:
            return received(spec)
        if row[3] >= ENDED:
            return self._whole(spec.id, before, row)
        # The other columns may be newer: they are brought up to date for lists.
        return told_by(_steps(row[-1]))

    def _events(self, task_id: str, after: int) -> Iterator[_Row]:
        query = f"SELECT {_STATE} FROM events WHERE task_id = ? AND seq > ? ORDER BY seq"  # noqa: S608
        return self._db.execute(query, (task_id, after))

    def _next(self, task_id: str, state: TaskState, row: _Row) -> TaskState:
        return self._whole(task_id, state, row) if row[-1] is not None else self._changed(task_id, state, row)

    def _whole(self, task_id: str, before: TaskState, row: _Row) -> TaskState:
        seq, attempt, updated_at, status, worker_id, error, output, steps = row
        return TaskState(
            seq=seq,
            attempt=attempt,
            status=TaskStatus(status),
            updated_at=updated_at,
            output=Encoded(output),
            error=error,
            worker_id=worker_id,
            steps=_steps(steps),
            logs=self._with_logs(task_id, before.logs, before.seq, seq, max_chars=self._max_log_chars),
        )

    def _changed(self, task_id: str, state: TaskState, row: _Row) -> TaskState:
        seq, attempt, at, status, worker_id, error, output, _ = row
        change = Change(
            seq=seq,
            at=at,
            attempt=attempt,
            status=TaskStatus(status) if status is not None else None,
            output=Encoded(output) if output is not None else None,
            error=error,
            worker_id=worker_id,
            logs=tuple((kind, text) for kind, text, _ in self._log_rows(task_id, state.seq, seq)),
        )
        return apply(state, change, max_log_chars=self._max_log_chars)

    def _with_logs(
        self, task_id: str, logs: tuple[LogText, ...], after: int, upto: int | None, *, max_chars: int | None
    ) -> tuple[LogText, ...]:
        for kind, text, at in self._log_rows(task_id, after, upto):
            logs = appended(logs, [(kind, text)], at, max_chars)
        return logs

    def _log_rows(self, task_id: str, after: int, upto: int | None) -> list[tuple[int, str, float]]:
        return self._db.execute(
            "SELECT log_type, content, at FROM logs WHERE task_id = ? AND seq > ? AND seq <= ?"
            " ORDER BY rowid",
            (task_id, after, upto if upto is not None else 1 << 62),
        ).fetchall()


def _between(state: TaskState, row: TaskState, seq: int) -> Generator[TaskState, None, TaskState]:
    """The states after `state` and before `seq`, if the row's steps tell them all; gives the last state."""
    steps = [step for step in row.steps if state.seq < step.seq < seq]
    for step in steps if len(steps) == seq - state.seq - 1 else ():
        state = replace(
            state,
            seq=step.seq,
            status=step.status,
            updated_at=step.at,
            worker_id=row.worker_id if step.status is TaskStatus.RUNNING else state.worker_id,
            steps=(*state.steps, step),
        )
        yield state
    return state


def _steps(text: str) -> tuple[Step, ...]:
    return tuple(Step(TaskStatus(status), at, seq) for status, at, seq in json.loads(text))


def _spec(row: _Row) -> TaskSpec:
    (
        identifier,
        created_at,
        app,
        app_id,
        version,
        variant,
        function,
        infra,
        workers,
        webhook,
        run_at,
        session_id,
        session_timeout,
        visibility,
        is_featured,
        *json_,
    ) = row
    known_workers = json.loads(workers)
    setup, given, metadata = map(Encoded, json_)
    return TaskSpec(
        id=identifier,
        created_at=created_at,
        app=app,
        app_id=app_id,
        app_version_id=version,
        app_variant=variant,
        function=function,
        infra=infra,
        workers=tuple(known_workers) if known_workers is not None else None,
        webhook=webhook,
        run_at=run_at,
        setup=setup,
        input=given,
        metadata=metadata,
        session_id=session_id,
        session_timeout=session_timeout,
        marks=TaskMarks(visibility, bool(is_featured)),
    )
