"""Keeping the database flat: what has outlived its use is dropped while the engine runs."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from .download_cache import CACHE_FOLDER, prune
from .store import chats, keys, retention, sessions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .config import EngineConfig
    from .files import Files
    from .ledger import Ledger
    from .store import Store

_MAX_PAUSE_SECONDS = 15.0
_MAX_EXPIRY_PAUSE_SECONDS = 600.0
# File systems stamp with the time of the last tick of the clock.
_STAMP_SECONDS = 0.05
_log = logging.getLogger("inferencesh.engine")


class Retention:
    """Drops events of ended tasks, the oldest tasks, sessions and chats, old keys, files nobody needs."""

    def __init__(self, config: EngineConfig, store: Store, ledger: Ledger, files: Files) -> None:
        self._config = config
        self._store = store
        self._ledger = ledger
        self._files = files
        self._seen = -1
        self._next_expiry = 0.0

    async def run_for_ever(self) -> None:
        """Look again and again; while no task ends, only for what expires by itself."""
        pause = min(_MAX_PAUSE_SECONDS, max(0.05, self._config.event_retention_seconds / 4))
        while True:
            await asyncio.sleep(pause)
            try:
                await self._look()
            except Exception:  # noqa: BLE001  # it is tried again
                _log.exception("old rows were not dropped; the next look comes in %g s", pause)

    async def _look(self) -> None:
        if time.monotonic() >= self._next_expiry:
            await self._drop_expired()
            pause = min(_MAX_EXPIRY_PAUSE_SECONDS, self._config.upload_url_seconds / 4)
            self._next_expiry = time.monotonic() + pause
        seen = self._ledger.ended_count
        if self._seen != seen:
            await self._drop_ended()
            # Events outlive their task for a while, so a last look comes after the last task ended.
            self._seen = seen if not await self._events_left() else -1

    async def drop(self) -> None:
        """Drop all that is due now."""
        await self._drop_ended()
        await self._drop_expired()

    async def _drop_ended(self) -> None:
        ended_before = time.time() - self._config.event_retention_seconds
        await self._until_none(partial(retention.drop_old_events, ended_before=ended_before))
        await self._until_none(partial(retention.drop_old_tasks, keep=self._config.max_finished_tasks))

    async def _drop_expired(self) -> None:
        since = time.time() - self._config.idempotency_hours * 3600
        await self._until_none(partial(keys.expire, before=since))
        await self._until_none(partial(sessions.drop_old, keep=self._config.max_ended_sessions))
        await self._until_none(partial(chats.drop_old, keep=self._config.max_chats))
        await self._files.forget_unsent()
        await self._files.forget_outputs()
        await self._prune_cache()

    async def _prune_cache(self) -> None:
        now = time.time()
        # Whoever began to work with a file since then may have its path still.
        begun = [live.spec.created_at for live in self._ledger.live.values()]
        begun += [session.created_at for session in self._store.active_sessions()]
        await asyncio.to_thread(
            prune,
            self._config.state_path / CACHE_FOLDER,
            max_bytes=self._config.max_cache_bytes,
            expired_before=now - self._config.cache_seconds,
            in_use_since=min((at - _STAMP_SECONDS for at in begun), default=now),
        )

    async def _until_none(self, drop: Callable[[sqlite3.Connection], int]) -> None:
        while await self._store.writer.write(drop, durable=False):
            pass

    async def _events_left(self) -> bool:
        return await self._store.scan(retention.events_left)
