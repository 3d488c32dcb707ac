"""Keeping the database flat: what has outlived its use is dropped while the engine runs."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from .store import keys, retention, sessions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .config import EngineConfig
    from .ledger import Ledger
    from .store import Store

_MAX_PAUSE_SECONDS = 15.0
_log = logging.getLogger("inferencesh.engine")


class Retention:
    """Drops events of finished tasks, the oldest finished tasks and sessions, and old idempotency keys."""

    def __init__(self, config: EngineConfig, store: Store, ledger: Ledger) -> None:
        self._config = config
        self._store = store
        self._ledger = ledger
        self._seen = -1

    async def run_for_ever(self) -> None:
        """Look again and again; nothing is touched while no task ends."""
        pause = min(_MAX_PAUSE_SECONDS, max(0.05, self._config.event_retention_seconds / 4))
        while True:
            await asyncio.sleep(pause)
            if self._seen == self._ledger.ended_count:
                continue
            seen = self._ledger.ended_count
            try:
                await self.drop()
            except Exception:  # noqa: BLE001  # it is tried again
                _log.exception("old rows were not dropped; the next look comes in %g s", pause)
            else:
                # Events outlive their task for a while, so a last look comes after the last task ended.
                self._seen = seen if not await self._events_left() else -1

    async def drop(self) -> None:
        """Drop all that is due now."""
        config, now = self._config, time.time()
        ended_before = now - config.event_retention_seconds
        await self._until_none(partial(retention.drop_old_events, ended_before=ended_before))
        await self._until_none(partial(retention.drop_old_tasks, keep=config.max_finished_tasks))
        await self._until_none(partial(sessions.drop_old, keep=config.max_ended_sessions))
        await self._until_none(partial(keys.expire, before=now - config.idempotency_hours * 3600))

    async def _until_none(self, drop: Callable[[sqlite3.Connection], int]) -> None:
        while await self._store.writer.write(drop, durable=False):
            pass

    async def _events_left(self) -> bool:
        return await self._store.scan(retention.events_left)
