"""The one thread that writes: what arrives together is committed together.

An fsync costs more than everything else about a task, so writes that wait at the same moment share one
transaction (group commit). When one of them fails the transaction is rolled back and each is tried alone,
so a bad one fails for itself only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from ..domain.problems import Problem
from .database import is_storage_full

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

_MAX_BATCH = 512
_DEFER_SECONDS = 0.01
_FULL_RETRY_SECONDS = 0.25
_log = logging.getLogger("inferencesh.engine")


@dataclass(frozen=True)
class Write:
    """One thing to write.

    Attributes:
        run: Writes it; what it returns is handed to `settle`.
        settle: Called on the event loop after the commit, with the result or the error.
        durable: Whether the commit must have reached the disk, not just the operating system.
        refusable: What to do while the disk is full: fail (True), or wait for room (False).
        tried: Set, for a thread that waits, once it is committed or has failed.
    """

    run: Callable[[sqlite3.Connection], Any]
    settle: Callable[[Any, Exception | None], None]
    durable: bool = True
    refusable: bool = True
    tried: Event | None = None


class Writer:
    """Takes writes from the event loop, in order, and commits them on its own thread."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._queue: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._deferred: list[Write] = []
        self._flush: asyncio.TimerHandle | None = None
        self._synchronous = ""
        self._closing = False
        self._thread = Thread(target=self._work, name="inferencesh-writer", daemon=True)
        self._thread.start()

    async def write(
        self, run: Callable[[sqlite3.Connection], T], *, durable: bool = True, refusable: bool = True
    ) -> T:
        """Commit this and give what it returned; raises Problem 507 when the disk is full."""
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit(Write(run, settle, durable, refusable))
        return await future

    def submit(self, write: Write) -> None:
        """Commit this as soon as possible, after everything that came before it."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._queue.put([*self._deferred, write])
        self._deferred.clear()

    def defer(self, write: Write) -> None:
        """Commit this with the next write, or in a few milliseconds when there is none."""
        self._deferred.append(write)
        if self._flush is None:
            self._flush = self._loop.call_later(_DEFER_SECONDS, self._flush_deferred)

    def _flush_deferred(self) -> None:
        self._flush = None
        self._queue.put([*self._deferred])
        self._deferred.clear()

    async def close(self) -> None:
        """Commit what is waiting and end the thread; what the full disk keeps out stays undone."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush_deferred()
        self._closing = True
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._connection.close()

    def _work(self) -> None:
        backlog: list[Write] = []
        while True:
            batch, last = self._next_batch(backlog)
            backlog = self._commit(batch) if batch else []
            if last and self._queue.empty() and (not backlog or self._closing):
                return

    def _next_batch(self, backlog: list[Write]) -> tuple[list[Write], bool]:
        """The waiting writes, after those that could not be written before; True when closing."""
        batch = [*backlog]
        last = False
        try:
            arrived = self._queue.get(timeout=_FULL_RETRY_SECONDS if backlog else None)
            while True:
                last = last or arrived is None
                batch.extend(arrived or ())
                if len(batch) >= _MAX_BATCH:
                    break
                arrived = self._queue.get_nowait()
        except Empty:
            pass
        return batch, last or self._closing

    def _commit(self, batch: list[Write]) -> list[Write]:
        """Write the batch; gives those writes that have to wait for room on the disk."""
        try:
            outcomes = self._transaction(batch)
        except Exception as error:  # noqa: BLE001  # each write is told its own error
            return self._one_by_one(batch) if len(batch) > 1 else self._failed(batch[0], error)
        self._tell([(write, outcome, None) for write, outcome in zip(batch, outcomes, strict=True)])
        return []

    def _one_by_one(self, batch: list[Write]) -> list[Write]:
        """Each write alone; behind one that has to wait, those that must not be lost keep their order."""
        waiting: list[Write] = []
        for write in batch:
            waiting += [write] if waiting and not write.refusable else self._commit([write])
        return waiting

    def _transaction(self, batch: list[Write]) -> list[Any]:
        connection = self._connection
        self._set_synchronous("FULL" if any(write.durable for write in batch) else "NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [write.run(connection) for write in batch]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return outcomes

    def _set_synchronous(self, level: str) -> None:
        if level != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level

    def _failed(self, write: Write, error: Exception) -> list[Write]:
        if not is_storage_full(error):
            self._tell([(write, None, error)])
            return []
        if write.refusable:
            detail = f"the engine's disk is full ({error}); free some space and try again"
            self._tell([(write, None, Problem(507, "storage_full", detail))])
            return []
        _log.error("the disk is full: changes of running tasks wait for room (%s)", error)
        return [write]

    def _tell(self, outcomes: list[tuple[Write, Any, Exception | None]]) -> None:
        for write, _, _ in outcomes:
            if write.tried is not None:
                write.tried.set()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, outcomes)


def _settle(outcomes: list[tuple[Write, Any, Exception | None]]) -> None:
    for write, result, error in outcomes:
        write.settle(result, error)
