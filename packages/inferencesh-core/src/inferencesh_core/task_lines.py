"""What the lines of a task's stream come to: the task as a whole, after each of them. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from .errors import TaskCancelledError, TaskFailedError
from .statuses import TaskStatus, is_terminal_status, parse_status

Task: TypeAlias = "dict[str, Any]"
"""A task as the API gives it; the fields are those of `inferencesh_core.types.TaskDTO`."""


class TaskView:
    """The latest known state of one task.

    Args:
        task_id: Whose stream it is.
        known: The task as known so far, ``None`` before anything was heard.
    """

    def __init__(self, task_id: str, known: Task | None = None) -> None:
        self.task_id = task_id
        self.task = known
        self.seq: int | None = known.get("seq") if known else None

    def is_finished(self) -> bool:
        """Whether the task has reached its final state."""
        return self.task is not None and is_terminal_status(self.task.get("status"))

    def accept(self, line: Any) -> Task | None:
        """Take in one line; give the whole task when the line says something new about it.

        Heartbeats, token deltas, repetitions and what is no task say nothing new. A final state stays.

        Raises:
            LookupError: the line names changed fields of a task of which nothing is known yet.
        """
        data, fields = _content_of(line)
        if data is None or self.is_finished():
            return None
        seq = line.get("seq", data.get("seq"))
        if seq is not None:
            if self.seq is not None and seq <= self.seq:
                return None
            self.seq = seq
        if fields is not None:
            if self.task is None:
                raise LookupError(f"changed fields of task {self.task_id}, of which nothing is known")
            data = {**self.task, **{name: data[name] for name in fields if name in data}}
        elif seq is None and data == self.task:
            return None
        self.task = data
        return data

    def reconcile(self, task: Task) -> Task | None:
        """Take in what a GET said; give the task when that is news.

        Events that are numbered will all come by the stream, in order, so a look from outside counts only
        when it says that the task is over.
        """
        if self.seq is not None and not is_terminal_status(task.get("status")):
            return None
        if self.is_finished() or task == self.task:
            return None
        self.task = task
        return task


def _content_of(line: Any) -> tuple[Task | None, list[str] | None]:
    """Give the task in a line, and the names of the fields that count when it is not whole."""
    if not isinstance(line, dict) or line.get("type") == "heartbeat":
        return None, None
    if "data" not in line or "id" in line:
        return (line, None) if "status" in line else (None, None)
    data, fields = line["data"], line.get("fields")
    if not isinstance(data, dict) or line.get("event") == "delta":
        return None, None
    return data, fields if isinstance(fields, list) else None


def completed(task: Task) -> Task:
    """Give the task back if it completed.

    Raises:
        TaskFailedError: it failed.
        TaskCancelledError: it was cancelled.
    """
    status = parse_status(task.get("status"))
    if status == TaskStatus.FAILED:
        raise TaskFailedError(task)
    if status == TaskStatus.CANCELLED:
        raise TaskCancelledError(task)
    return task
