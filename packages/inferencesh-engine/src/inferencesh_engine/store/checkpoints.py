"""Bringing the write-ahead log into the database beside the event loop, which would stand still for it.

SQLite does this within a commit, every so often: it copies hundreds of pages and syncs two files, and whoever
is to be answered meanwhile waits. Here a thread does it, in two parts. First it copies and syncs what the log
holds, while commits go on. Then commits wait for a moment, in which it brings in the little that has come
since: the log is written from its beginning again only when all of it is in the database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .database import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Small ones fill the log by half or more. Large ones may fill it all before; then SQLite does it.
_WRITES = 1500
_log = logging.getLogger("inferencesh.engine")


class Checkpoints:
    """Takes turns with the writer, on the writer's event loop.

    Args:
        path: The database.
        go_on: Called when commits that have waited may go on.

    Attributes:
        holds: Whether commits had better wait a moment. One that does not costs the log some room, no more.
    """

    def __init__(self, path: Path, go_on: Callable[[], None]) -> None:
        self.holds = False
        self._go_on = go_on
        self._writes = 0
        self._loop = asyncio.get_running_loop()
        self._running: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inferencesh-checkpoint")
        self._connection = connect(path)
        self._file = os.open(path, os.O_RDWR)

    def count(self, writes: int) -> None:
        """So many more writes have been committed."""
        self._writes += writes
        if self._writes >= _WRITES and self._running is None:
            self._writes = 0
            self._running = self._loop.create_task(self._run())

    async def close(self) -> None:
        """Return when nothing is under way any more."""
        if self._running is not None:
            await asyncio.wait([self._running])
        self._thread.shutdown()
        self._connection.close()

    def let_go(self) -> None:
        """Close the database's file, when all connections to it are closed: they lose their locks by that."""
        os.close(self._file)

    async def _run(self) -> None:
        try:
            await self._loop.run_in_executor(self._thread, self._copy_and_sync)
            self.holds = True
            await self._loop.run_in_executor(self._thread, self._copy)
        except (sqlite3.Error, OSError) as error:
            _log.warning("the database's log could not be brought in: %s; the next commits will try", error)
        finally:
            self.holds, self._running = False, None
            self._go_on()

    def _copy_and_sync(self) -> None:
        self._copy()
        # SQLite syncs only when all is copied. What it would sync while commits wait is less after this.
        os.fsync(self._file)

    def _copy(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
