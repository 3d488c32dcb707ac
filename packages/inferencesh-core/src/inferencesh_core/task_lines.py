"""What the lines of a task's stream come to: the task as a whole, after each of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import TaskCancelledError, TaskFailedError
from .statuses import TaskStatus, is_terminal_status, parse_status

if TYPE_CHECKING:
    from collections.abc import Iterable

Task: TypeAlias = "dict[str, Any]"
"""A task as the API gives it; the fields are those of `inferencesh_core.types.TaskDTO`."""


class TaskView:
    """The latest known state of one task.

    Args:
        task_id: Whose stream it is.
        known: The task as known so far, ``None`` before anything was heard.
    """

    __slots__ = ("_finished", "seq", "task", "task_id")

    def __init__(self, task_id: str, known: Task | None = None) -> None:
        self.task_id = task_id
        self.task: Task | None = None
        self.seq: int | None = _seq_in(known) if known else None
        self._finished = False
        if known is not None:
            self._set(known)

    def is_finished(self) -> bool:
        """Whether the task has reached its final state."""
        return self._finished

    def _set(self, task: Task) -> None:
        self.task = task
        self._finished = is_terminal_status(task.get("status"))

    def accept(self, line: Any) -> Task | None:
        """Take in one line; give the whole task when the line says something new about it.

        Heartbeats, token deltas, repetitions and what is no task say nothing new. A final state stays.

        Raises:
            LookupError: the line names changed fields of a task of which nothing is known yet.
        """
        if self._finished or not isinstance(line, dict):
            return None
        data: Task = line
        fields: Iterable[Any] | None = None
        seq = line.get("seq")
        if "id" not in line or "status" not in line:
            content = _content_of(line)
            if content is None:
                return None
            data, fields = content
            seq = seq if "seq" in line else data.get("seq")
        if type(seq) is int:
            return self._accept_numbered(seq, data, fields)
        task = data if fields is None else self._with_changed(data, fields)
        is_news = task != self.task
        self._set(task)
        return task if is_news else None

    def _accept_numbered(self, seq: int, data: Task, fields: Iterable[Any] | None) -> Task | None:
        if self.seq is not None and seq <= self.seq:
            return None
        task = data if fields is None else {**self._with_changed(data, fields), "seq": seq}
        # The first numbered event may tell what a look from outside, which has no number, told before.
        is_news = self.seq is not None or self._differs(task)
        self.seq = seq
        self._set(task)
        return task if is_news else None

    def _with_changed(self, data: Task, fields: Iterable[Any]) -> Task:
        """Give the task as known, with some fields of ``data``; what is no name of one is passed over."""
        if self.task is None:
            raise LookupError(f"changed fields of task {self.task_id}, of which nothing is known")
        task = self.task.copy()
        for name in fields:
            if isinstance(name, str) and name in data:
                task[name] = data[name]
        return task

    def _differs(self, task: Task) -> bool:
        return {**task, "seq": None} != {**(self.task or {}), "seq": None}

    def reconcile(self, task: Task) -> Task | None:
        """Take in what a GET said; give the task when that is news.

        Events that are numbered will all come by the stream, in order, so a look from outside counts only
        when it says that the task is over.
        """
        if self.seq is not None and not is_terminal_status(task.get("status")):
            return None
        if self._finished or task == self.task:
            return None
        self._set(task)
        self.seq = _seq_in(task) or self.seq
        return task


def _content_of(line: dict[str, Any]) -> tuple[Task, Iterable[Any] | None] | None:
    """Give the task wrapped in a line, and the names of the fields that count when it is not whole."""
    data, fields = line.get("data"), line.get("fields")
    if not isinstance(data, dict) or line.get("event") == "delta":
        return None
    if isinstance(fields, list):
        return data, fields
    if "status" not in data:
        return None
    return data, None if "id" in data else data


def _seq_in(task: Task) -> int | None:
    """Give the number of the event that a task was told by, ``None`` where the server does not count."""
    seq = task.get("seq")
    return seq if type(seq) is int else None


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
