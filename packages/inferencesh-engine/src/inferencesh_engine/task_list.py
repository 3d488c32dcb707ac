"""Lists of tasks: the page comes from the rows, the unfinished ones look as they are now."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .domain.task import TaskStatus
from .store import tasks as rows
from .store.listing import Listing, projected, unix_time

if TYPE_CHECKING:
    from .domain.listing import ListQuery, Page
    from .fresh_addresses import FreshAddresses
    from .ledger import Ledger
    from .store import Store


def _status(value: Any) -> int:
    """A status by number or name."""
    try:
        return int(TaskStatus(value))
    except ValueError:
        raise ValueError(f"there is no status {value!r}") from None


_COLUMNS = (
    "id",
    "created_at",
    "updated_at",
    "status",
    "app",
    "app_id",
    "app_version_id",
    "app_variant",
    "function",
    "infra",
    "worker_id",
    "webhook",
    "run_at",
    "session_id",
    "visibility",
    "is_featured",
    "error",
    "input",
    "output",
)
_LISTING = Listing(
    "tasks",
    {name: name for name in _COLUMNS},
    searched=("id", "app", "input", "output", "error"),
    converted={
        "created_at": unix_time,
        "updated_at": unix_time,
        "run_at": unix_time,
        "status": _status,
    },
)


class TaskList:
    """Pages of tasks."""

    def __init__(self, store: Store, ledger: Ledger, shown: FreshAddresses) -> None:
        self._shown = shown
        self._store = store
        self._ledger = ledger
        self._refreshed: dict[str, int] = {}

    async def page(self, query: ListQuery) -> Page:
        """The page asked for; its items are `TaskDTO`s, or the fields of them that the query names."""
        await self._refresh_rows()
        found = await self._store.scan(lambda db: _LISTING.page(db, query, "id", _id))
        items = [self._dto(task_id) for task_id in found.items]
        kept = [projected(item, query.fields) for item in items if item is not None]
        return replace(found, items=kept)

    async def _refresh_rows(self) -> None:
        """The rows of unfinished tasks are not written at every step, so they are before somebody looks."""
        now = [(live.id, live.committed.state) for live in self._ledger.live.values()]
        stale = [(task_id, state) for task_id, state in now if self._refreshed.get(task_id, 1) != state.seq]
        self._refreshed = {task_id: state.seq for task_id, state in now}
        if stale:
            await self._store.writer.write(partial(rows.refresh, states=stale), durable=False, refusable=True)

    def _dto(self, task_id: str) -> dict[str, Any] | None:
        live = self._ledger.live.get(task_id)
        if live is not None:
            return live.committed.task
        known = self._store.history.get(task_id)
        return self._shown.event(*known).task if known is not None else None


def _id(row: tuple[Any, ...]) -> str:
    return str(row[0])
