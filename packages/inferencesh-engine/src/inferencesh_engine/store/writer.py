"""The one writer: what arrives together is committed together, and what must last is synced by a thread.

A commit to the write-ahead log is a copy into memory and takes microseconds: the event loop does it itself.
Bringing it to the disk takes milliseconds: a thread does that, one fdatasync for all commits before it. Where
the disk is as quick as the way to the thread and back, and only one task is there to wait, the loop does that
too. A write is settled when it is as safe as it asked for, and never before one that came earlier.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..domain.problems import Problem
from .checkpoints import Checkpoints
from .database import is_locked, is_storage_full, wal_of

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

# Longer than a short call takes in a crowd: what is told of it on the way is written together with its end.
_DEFER_SECONDS = 0.025
# With so many tasks at once nobody's answer is next: commits are cheaper together. How far apart they are is
# a small part of the time that the last of the crowd waits anyway.
_CROWD = 8
_PAUSE_SECONDS_PER_TASK = 0.000_125
_MAX_PAUSE_SECONDS = 0.005
# A disk this quick is not worth the two hand-overs to a thread when nothing else is going on.
_QUICK_SYNC_SECONDS = 0.001
_FULL_RETRY_SECONDS = 0.25
_log = logging.getLogger("inferencesh.engine")


class Write(NamedTuple):
    """One thing to write.

    Attributes:
        run: Writes it; what it returns is handed to `settle`.
        settle: Called on the event loop after the commit, with the result or the error.
        durable: Whether the commit must have reached the disk, not just the operating system.
        refusable: What to do while the disk is full or locked: fail (True), or wait (False).
    """

    run: Callable[[sqlite3.Connection], Any]
    settle: Callable[[Any, Exception | None], None]
    durable: bool = True
    refusable: bool = True


class _Outcome(NamedTuple):
    """A write that was tried: its result, or its error."""

    write: Write
    result: Any = None
    error: Exception | None = None


class Writer:
    """Takes writes on the event loop, in order.

    Args:
        connection: The only one that writes; its commits need not sync.
        path: The database.
        loop: The loop it belongs to.

    Attributes:
        crowd: Says how many tasks are unfinished.
        checkpoints: Brings what was written from the log into the database.
    """

    crowd: Callable[[], int]

    def __init__(self, connection: sqlite3.Connection, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.crowd = lambda: _CROWD
        self._connection = connection
        connection.execute("PRAGMA busy_timeout = 0")  # the loop must not stand still for a lock
        self._loop = loop
        self._waiting: list[Write] = []
        self._deferred: deque[tuple[float, Write]] = deque()  # each with the time by which it is committed
        self._deferrals = 0
        self._commit_handle: asyncio.Handle | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._syncer = _Syncer(wal_of(path), loop)
        self.checkpoints = Checkpoints(path, self._commit_waiting)

    async def write(
        self, run: Callable[[sqlite3.Connection], T], *, durable: bool = True, refusable: bool = True
    ) -> T:
        """Commit this and give what it returned; raises Problem 507 for a full disk, 503 for a locked one."""
        future = self.begin(run, durable=durable, refusable=refusable)
        if not self.crowd():
            self._commit_waiting()  # nobody else is there to come along
        return await future

    def begin(
        self, run: Callable[[sqlite3.Connection], T], *, durable: bool = True, refusable: bool = True
    ) -> asyncio.Future[T]:
        """Commit this as `write` does, when the caller has come to a pause."""
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit(Write(run, settle, durable, refusable))
        return future

    def submit(self, write: Write, *, behind: int | None = None) -> None:
        """Commit this as soon as possible, after everything that came before it.

        With `behind`, the number of a deferred write, what was deferred after that one need not come first.
        """
        self._take_deferred(self._deferrals if behind is None else behind)
        self._waiting.append(write)
        if self._commit_handle is not None:
            return
        crowd = self.crowd()
        if crowd > _CROWD:
            self._commit_later(min(crowd * _PAUSE_SECONDS_PER_TASK, _MAX_PAUSE_SECONDS))
        else:
            # Not at once: what else this turn of the loop brings joins the transaction.
            self._commit_handle = self._loop.call_soon(self._commit_waiting)

    def defer(self, write: Write) -> int:
        """Commit this before the next write that has to come behind it, or a few milliseconds from now.

        Gives its number among all that was deferred: see `submit`.
        """
        self._deferrals += 1
        self._deferred.append((self._loop.time() + _DEFER_SECONDS, write))
        if self._flush is None:
            self._flush = self._loop.call_later(_DEFER_SECONDS, self._commit_deferred)
        return self._deferrals

    def write_at_once(self, write: Write) -> bool:
        """Have this, and all before it, on the disk when this returns; False when there is no room for it."""
        self._take_deferred(self._deferrals)
        self._waiting.append(write)
        self._commit_all()
        self._syncer.sync()
        return not self._waiting

    async def close(self) -> None:
        """Commit what is waiting; what the full disk keeps out stays undone."""
        await self.checkpoints.close()
        self._take_deferred(self._deferrals)
        self._commit_all()
        if self._flush is not None:
            self._flush.cancel()
        if self._commit_handle is not None:
            self._commit_handle.cancel()
        await self._syncer.close()
        self._connection.close()

    def _commit_deferred(self) -> None:
        self._flush = None
        self._take_due()
        if self._deferred:
            self._flush = self._loop.call_at(self._deferred[0][0], self._commit_deferred)
        self._commit_waiting()

    def _take_deferred(self, through: int) -> None:
        """Let what was deferred, up to the one with this number, come with the next commit."""
        # The timer is left to ring: it then looks who is next.
        deferred = self._deferred
        for _ in range(len(deferred) - (self._deferrals - through)):
            self._waiting.append(deferred.popleft()[1])

    def _take_due(self) -> None:
        now = self._loop.time()
        while self._deferred and self._deferred[0][0] <= now:
            self._waiting.append(self._deferred.popleft()[1])

    def _commit_waiting(self) -> None:
        """Commit, unless a checkpoint wants a moment; then that goes on with this."""
        if not self.checkpoints.holds:
            self._commit_all()

    def _commit_all(self) -> None:
        if self._commit_handle is not None:
            self._commit_handle.cancel()
            self._commit_handle = None
        batch, self._waiting = self._waiting, []
        held = self._commit(batch) if batch else []
        if held:
            # Settling the others may have brought new ones, which stay behind these.
            self._waiting = [*held, *self._waiting]
            self._commit_later(_FULL_RETRY_SECONDS)

    def _commit_later(self, seconds: float) -> None:
        if self._commit_handle is not None:
            self._commit_handle.cancel()
        self._commit_handle = self._loop.call_later(seconds, self._commit_waiting)

    def _commit(self, batch: list[Write]) -> list[Write]:
        """Write the batch; gives those writes that have to wait for room on the disk."""
        try:
            results = self._transaction(batch)
        except Exception as error:  # noqa: BLE001  # each write is told its own error
            return self._one_by_one(batch) if len(batch) > 1 else self._failed(batch[0], error)
        self.checkpoints.count(len(batch))
        outcomes = [_Outcome(*each) for each in zip(batch, results, strict=True)]
        self._syncer.settle(outcomes, alone=self.crowd() <= 1)
        return []

    def _one_by_one(self, batch: list[Write]) -> list[Write]:
        """Each write alone; behind one that has to wait, those that must not be lost keep their order."""
        waiting: list[Write] = []
        for write in batch:
            waiting += [write] if waiting and not write.refusable else self._commit([write])
        return waiting

    def _transaction(self, batch: list[Write]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [write.run(connection) for write in batch]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _failed(self, write: Write, error: Exception) -> list[Write]:
        passing = _passing_problem(error)
        if passing is None or write.refusable:
            self._syncer.settle([_Outcome(write, error=passing or error)])
            return []
        _log.error("changes of running tasks wait: %s", passing.detail)
        return [write]


class _Syncer:
    """Settles writes in order, once the durable ones are on the disk.

    The log is synced through a descriptor of its own, which sees all that the connection wrote to the file.
    """

    def __init__(self, log: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._file = os.open(log, os.O_RDWR)
        self._queue: SimpleQueue[list[_Outcome] | None] = SimpleQueue()
        self._unsettled = 0
        self._seconds = 10 * _QUICK_SYNC_SECONDS
        self._thread = Thread(target=self._work, name="inferencesh-sync", daemon=True)
        self._thread.start()

    def settle(self, outcomes: list[_Outcome], *, alone: bool = False) -> None:
        """Settle these when it is their turn; `alone` says that nothing else waits for the loop."""
        if not self._unsettled:
            if not any(outcome.write.durable for outcome in outcomes):
                _settle(outcomes)
                return
            if alone and self._seconds < _QUICK_SYNC_SECONDS:
                _settle(self._synced(outcomes))
                return
        self._unsettled += 1
        self._queue.put(outcomes)

    def sync(self) -> None:
        """Have everything committed so far on the disk when this returns."""
        _sync(self._file)

    async def close(self) -> None:
        """Settle what is waiting and end the thread."""
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        os.close(self._file)

    def _work(self) -> None:
        with suppress(OSError):  # told to those whose writes it concerns, when these are synced
            _sync(self._file)  # the log's fresh zeros: nobody waits for the disk yet
        while (batches := self._next_batches())[-1] is not None:
            self._sync_and_tell([batch for batch in batches if batch is not None])
        self._sync_and_tell([batch for batch in batches if batch is not None])

    def _next_batches(self) -> list[list[_Outcome] | None]:
        """What waits for the disk; `None` at the end of it closes."""
        batches = [self._queue.get()]
        try:
            while batches[-1] is not None:
                batches.append(self._queue.get_nowait())
        except Empty:
            pass
        return batches

    def _sync_and_tell(self, batches: list[list[_Outcome]]) -> None:
        outcomes = self._synced([outcome for batch in batches for outcome in batch])
        if outcomes and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, outcomes, len(batches))

    def _synced(self, outcomes: list[_Outcome]) -> list[_Outcome]:
        """The outcomes, those that must last on the disk."""
        if not any(outcome.write.durable and outcome.error is None for outcome in outcomes):
            return outcomes
        began = time.perf_counter()
        try:
            _sync(self._file)
        except OSError as error:
            return [_Outcome(each.write, error=each.error or error) for each in outcomes]
        took = time.perf_counter() - began
        # Slow syncs are believed at once, quick ones after some.
        self._seconds = max(took, 0.8 * self._seconds + 0.2 * took)
        return outcomes

    def _tell(self, outcomes: list[_Outcome], batches: int) -> None:
        self._unsettled -= batches
        _settle(outcomes)


def _settle(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        try:
            outcome.write.settle(outcome.result, outcome.error)
        except Exception:  # noqa: BLE001, PERF203 - those who wait for the others must not wait for ever
            _log.exception("what follows from a change could not be done")


def _passing_problem(error: Exception) -> Problem | None:
    """Give what to tell callers while the database cannot be written, ``None`` for any other error."""
    if is_storage_full(error):
        return Problem(
            507, "storage_full", f"the engine's disk is full ({error}); free some space and try again"
        )
    if is_locked(error):
        detail = "another process holds the engine's database; try again when it has let go"
        return Problem(503, "storage_locked", detail, retry_after=1)
    return None


_sync = getattr(os, "fdatasync", os.fsync)
