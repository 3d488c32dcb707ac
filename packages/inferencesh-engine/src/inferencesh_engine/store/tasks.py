"""Tasks and their changes as rows; these functions run inside the writer's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..domain.task import TaskStatus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ..domain.task import Change, Step, TaskMarks, TaskSpec, TaskState

ENDED = int(TaskStatus.COMPLETED)


def insert(db: sqlite3.Connection, spec: TaskSpec, state: TaskState) -> None:
    """A task that has come to this state by steps alone; its logs are written apart."""
    db.execute(
        "INSERT INTO tasks (id, created_at, app, app_id, app_version_id, app_variant, function, infra,"
        " workers, webhook, run_at, setup, input, metadata, session_id, session_timeout, seq, attempt,"
        " status, updated_at, worker_id, error, output, steps)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            spec.id,
            spec.created_at,
            spec.app,
            spec.app_id,
            spec.app_version_id,
            spec.app_variant,
            spec.function,
            spec.infra,
            "null" if spec.workers is None else json.dumps(spec.workers),
            spec.webhook,
            spec.run_at,
            spec.setup.text,
            spec.input.text,
            spec.metadata.text,
            spec.session_id,
            spec.session_timeout,
            *_state_values(state),
        ),
    )


def _state_values(state: TaskState) -> tuple[Any, ...]:
    return (
        state.seq,
        state.attempt,
        int(state.status),
        state.updated_at,
        state.worker_id,
        state.error,
        state.output.text,
        _steps_text(state.steps),
    )


def insert_change(db: sqlite3.Connection, task_id: str, change: Change) -> None:
    """One step of a task that goes on."""
    output = change.output.text if change.output is not None else None
    status = int(change.status) if change.status is not None else None
    _insert_event(db, task_id, change, (status, change.worker_id, change.error, output, None))


def insert_snapshot(db: sqlite3.Connection, task_id: str, change: Change, state: TaskState) -> None:
    """One step that also stands for all before it, which are dropped: their outputs are superseded."""
    db.execute("DELETE FROM events WHERE task_id = ?", (task_id,))
    whole = (int(state.status), state.worker_id, state.error, state.output.text, _steps_text(state.steps))
    _insert_event(db, task_id, change, whole)


def _insert_event(db: sqlite3.Connection, task_id: str, change: Change, content: tuple[Any, ...]) -> None:
    db.execute(
        "INSERT INTO events (task_id, seq, attempt, updated_at, status, worker_id, error, output, steps)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (task_id, change.seq, change.attempt, change.at, *content),
    )
    insert_logs(db, task_id, change)


def insert_logs(db: sqlite3.Connection, task_id: str, change: Change) -> None:
    """The text that a change appended to the task's log."""
    for log_type, content in change.logs:
        db.execute(
            "INSERT INTO logs (task_id, seq, at, log_type, content) VALUES (?, ?, ?, ?, ?)",
            (task_id, change.seq, change.at, log_type, content),
        )


def append_log(db: sqlite3.Connection, task_id: str, at: float, log_type: int, content: str) -> None:
    """Text for the log of a task that has ended; none for one that was deleted."""
    db.execute(
        "INSERT INTO logs (task_id, seq, at, log_type, content)"
        " SELECT id, seq, ?, ?, ? FROM tasks WHERE id = ?",
        (at, log_type, content, task_id),
    )


def finish(db: sqlite3.Connection, task_id: str, state: TaskState) -> None:
    """The end of a task: its row takes the final state, and never changes again."""
    db.execute(
        "UPDATE tasks SET seq = ?, attempt = ?, status = ?, updated_at = ?, worker_id = ?, error = ?,"
        " output = ?, steps = ? WHERE id = ? AND status < ?",
        (*_state_values(state), task_id, ENDED),
    )


def refresh(db: sqlite3.Connection, states: Iterable[tuple[str, TaskState]]) -> None:
    """Bring the columns that lists filter by up to date, for tasks that go on."""
    db.executemany(
        "UPDATE tasks SET status = ?, updated_at = ?, worker_id = ? WHERE id = ? AND status < ?",
        [(int(state.status), state.updated_at, state.worker_id, task_id, ENDED) for task_id, state in states],
    )


def mark(db: sqlite3.Connection, task_id: str, marks: TaskMarks) -> None:
    """How the task is shown from now on."""
    db.execute(
        "UPDATE tasks SET visibility = ?, is_featured = ? WHERE id = ?",
        (marks.visibility, marks.is_featured, task_id),
    )


def delete(db: sqlite3.Connection, task_ids: Iterable[str]) -> None:
    """Forget tasks and all that belongs to them; their idempotency keys stay used."""
    ids = [(task_id,) for task_id in task_ids]
    db.executemany("DELETE FROM tasks WHERE id = ?", ids)
    db.executemany("DELETE FROM events WHERE task_id = ?", ids)
    db.executemany("DELETE FROM logs WHERE task_id = ?", ids)


def _steps_text(steps: Iterable[Step]) -> str:
    return f"[{','.join([f'[{step.status:d},{step.at!r},{step.seq}]' for step in steps])}]"
