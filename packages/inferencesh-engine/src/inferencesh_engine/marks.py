"""Marks a caller puts on a task: who may see it, whether it is featured. They do nothing by themselves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .domain.views import SpecView, TaskEvent
from .store import tasks as rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from .domain.task import TaskMarks
    from .ledger import Ledger
    from .store import Store


class Marks:
    """The marks of one engine's tasks, running and ended."""

    def __init__(self, store: Store, ledger: Ledger, task: Callable[[str], TaskEvent]) -> None:
        self._store = store
        self._ledger = ledger
        self._task = task

    async def change(self, task_id: str, **marks: str | bool) -> TaskEvent:
        """Set members of `TaskMarks`; gives the task with them. Raises Problem 404 for an unknown task."""
        changed = replace(self._task(task_id).view.spec.marks, **marks)  # type: ignore[arg-type]
        await self._store.writer.write(partial(rows.mark, task_id=task_id, marks=changed))
        self._show(task_id, changed)
        return self._task(task_id)

    def _show(self, task_id: str, marks: TaskMarks) -> None:
        live = self._ledger.live.get(task_id)
        if live is not None:
            live.view = SpecView(replace(live.spec, marks=marks))
            live.committed = TaskEvent(live.view, live.committed.state)
