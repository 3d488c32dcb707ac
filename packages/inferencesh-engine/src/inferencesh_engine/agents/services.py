"""What turns use of their engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..clock import now
from ..domain.jobs import Description

if TYPE_CHECKING:
    from ..catalog import App, Catalog
    from ..config import EngineConfig
    from ..domain.idempotency import Idempotency
    from ..domain.views import RunOutcome, TaskEvent
    from ..fresh_addresses import FreshAddresses
    from ..pool import Pool
    from ..tasks import Tasks
    from .ledger import ChatLedger
    from .tools.registry import ToolRegistry

_BOUNDED = ("temperature", "top_p")


class EngineTasks:
    """Tasks, for turns and tools."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def run(self, body: Mapping[str, Any], *, idempotency: Idempotency | None = None) -> RunOutcome:
        """Accept a task; it is on disk when this returns. Raises Problem."""
        return await self._tasks.run(body, idempotency)

    async def wait(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended. Raises Problem."""
        return (await self._tasks.ended(task_id)).task

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Cancel it; gives it once it has ended."""
        return (await self._tasks.cancel(task_id, grace=None, force=False)).task

    def follow(self, task_id: str) -> AsyncIterator[TaskEvent]:
        """Its states until it has ended, the newest ones where that is too many."""
        return self._tasks.follow(task_id, after=None)


@dataclass(frozen=True, kw_only=True)
class TurnServices:
    """What turns use of their engine.

    Attributes:
        started_at: When this engine began, as Unix seconds: what is older was begun by an earlier one.
    """

    config: EngineConfig
    catalog: Catalog
    pool: Pool
    tasks: EngineTasks
    ledger: ChatLedger
    registry: ToolRegistry
    shown: FreshAddresses
    started_at: float = field(default_factory=now)

    def core_app(self, named: Mapping[str, str]) -> tuple[App, str | None]:
        """The app that a configuration names, and its function if it names one; raises Problem 404."""
        ids = {name: named.get(name) for name in ("app_id", "version_id")}
        found = self.catalog.find(named.get("app"), **ids)
        return found.app, found.function

    async def fitted(self, named: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
        """The input with sampling settings within what the app takes: models differ in their scales."""
        known = await self._input_members(named)
        bounded = {
            name: _within(given[name], known[name]) for name in _BOUNDED if name in given and name in known
        }
        return {**given, **bounded}

    async def _input_members(self, named: Mapping[str, str]) -> Mapping[str, Any]:
        app, function = self.core_app(named)
        described = await self.pool.describe(app)
        if not isinstance(described, Description):
            return {}
        entry = described.function(function)
        schema = entry.input_schema if entry is not None else None
        properties: Mapping[str, Any] = (schema or {}).get("properties", {})
        return properties

    def check_core_app(self, named: Mapping[str, str]) -> None:
        """Raise the Problem of an app that is not there or cannot be run as it is."""
        app, _ = self.core_app(named)
        self.catalog.require(app)


def _within(value: Any, schema: Any) -> Any:
    """The number, no less than the schema's minimum and no more than its maximum."""
    if not isinstance(schema, dict) or not isinstance(value, (int, float)):
        return value
    return min(max(value, schema.get("minimum", value)), schema.get("maximum", value))
