"""Unfinished tasks: every change is decided here, committed, and only then told to followers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from . import crash_points
from .clock import now
from .domain.task import Change, TaskStatus, allowed, apply, before_running, received
from .domain.views import SpecView, TaskEvent
from .events import EventBus
from .store import tasks as rows
from .store.writer import Write

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .catalog import App
    from .config import EngineConfig
    from .domain.jobs import Description
    from .domain.task import TaskSpec, TaskState
    from .store import Store

LOG_DELAY_SECONDS = 0.05
_DURABLE = frozenset({TaskStatus.CANCELLING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
_log = logging.getLogger("inferencesh.engine")


@dataclass(eq=False)
class LiveTask:
    """A task that has not ended.

    Attributes:
        state: The newest state decided; perhaps not committed yet.
        committed: The newest state on disk: what everybody is shown.
        app: None when the app is gone since the task was accepted.
        description: None when the app has not said yet what its functions take and give.
        ended: Done when the final state is committed.
        submitted: Whether the pool has it.
        row_seq: The number of the change up to which its row tells it all; 0 while it has no row, and then
            nothing else of it is in the database.
        untold: The steps it made while it had no row, each with the state after it.
        deferred: The writer's number of the last write of it that was deferred.
        plain: Whether all its changes were steps of its first attempt.
        work: What the engine itself is doing for the task: waiting for its time, or storing its files.
    """

    view: SpecView
    state: TaskState
    committed: TaskEvent
    app: App | None
    ended: asyncio.Future[TaskEvent]
    description: Description | None = None
    submitted: bool = False
    row_seq: int = 1
    untold: list[tuple[Change, TaskState]] = field(default_factory=list)
    deferred: int = 0
    plain: bool = True
    work: asyncio.Task[None] | None = None
    logs: list[tuple[int, str]] = field(default_factory=list)
    log_bytes: int = 0
    log_flush: asyncio.TimerHandle | None = None
    history_bytes: int = 0

    @property
    def spec(self) -> TaskSpec:
        """What was asked for."""
        return self.view.spec

    @property
    def id(self) -> str:
        """The task's id."""
        return self.view.spec.id

    @property
    def row_state(self) -> TaskState:
        """The newest state that a row can tell without a word about the changes before."""
        if not self.plain:
            return received(self.spec)
        return self.state if self.state.terminal else before_running(self.state)


class Ledger:
    """The unfinished tasks of one engine, by id."""

    def __init__(self, config: EngineConfig, store: Store) -> None:
        self.live: dict[str, LiveTask] = {}
        self.bus: EventBus[TaskEvent] = EventBus(config.max_stream_backlog_bytes)
        self.ended_count = 0
        self._config = config
        self._store = store
        self._loop = asyncio.get_running_loop()
        store.writer.crowd = self.live.__len__

    def open(self, spec: TaskSpec, state: TaskState, app: App | None) -> LiveTask:
        """Take up a task whose state is on disk."""
        view = SpecView(spec)
        live = LiveTask(view, state, TaskEvent(view, state), app, self._loop.create_future())
        self.live[spec.id] = live
        return live

    def keep_later(
        self, live: LiveTask, insert: Callable[[sqlite3.Connection], TaskState | None]
    ) -> asyncio.Future[None]:
        """Have the row of a task that was just begun written before long, at the latest with its end.

        `insert` writes it, and gives the state that this tells if it is not the end.
        """
        stored: asyncio.Future[None] = self._loop.create_future()

        def settle(state: TaskState | None, error: Exception | None) -> None:
            if state is not None and state.seq > live.committed.seq:
                live.committed = TaskEvent(live.view, state)
                self.bus.publish(live.id, live.committed)
            if stored.done():
                return
            if error is not None:
                stored.set_exception(error)
            else:
                stored.set_result(None)

        live.row_seq = 0
        live.deferred = self._store.writer.defer(Write(insert, settle, durable=False))
        return stored

    def refuse(self, live: LiveTask) -> None:
        """Forget a task whose row could not be stored; what is told of it from now on is dropped."""
        self.live.pop(live.id, None)
        if live.log_flush is not None:
            live.log_flush.cancel()

    def change(
        self,
        live: LiveTask,
        *,
        attempt: int | None = None,
        on_commit: Callable[[], None] | None = None,
        at_once: bool = False,
        **what: Any,
    ) -> bool:
        """Change the task, if its state allows; gives whether it did.

        `what` are members of `Change`. Ends and cancelling are on disk before anybody hears of them.
        With `at_once` the change is on disk when this returns: the event loop stands still for that.
        """
        attempt = live.state.attempt if attempt is None else attempt
        if not allowed(live.state, attempt, what.get("status")):
            return False
        at = max(now(), live.state.updated_at)
        change = Change(seq=live.state.seq + 1, at=at, attempt=attempt, logs=self._taken_logs(live), **what)
        live.state = apply(live.state, change, max_log_chars=self._config.max_logs_in_state_bytes)
        live.plain &= live.state.terminal or (change.is_step and attempt == 1)
        self._write(live, change, on_commit, at_once)
        return True

    def _write(
        self, live: LiveTask, change: Change, on_commit: Callable[[], None] | None, at_once: bool
    ) -> None:
        state = live.state
        crash_points.reached("task.progress")
        durable = at_once or change.status in _DURABLE
        at_leisure = not (durable or on_commit is not None or self.bus.is_followed(live.id))
        if at_leisure and live.row_seq == 0 and live.plain:
            live.untold.append((change, state))  # told with its row
            return
        write = Write(
            run=self._statement(live, change, state),
            settle=partial(self._settle, live, state, on_commit),
            durable=durable,
            refusable=False,
        )
        writer = self._store.writer
        if at_once:
            if not writer.write_at_once(write):
                _log.error("task %s: no room on the disk to store that it is %s", live.id, state.status.name)
        elif at_leisure:
            live.deferred = writer.defer(write)
        else:
            # An end comes behind what was told of this task. Others may still end before they are written.
            writer.submit(write, behind=live.deferred if state.terminal else None)

    def _statement(
        self, live: LiveTask, change: Change, state: TaskState
    ) -> Callable[[sqlite3.Connection], None]:
        if state.terminal:
            return partial(_finish, live=live, change=change, state=state)
        live.history_bytes += len(change.output.text) if change.output is not None else 0
        if live.history_bytes > self._config.max_history_bytes:
            live.history_bytes = 0
            return partial(rows.insert_snapshot, task_id=live.id, change=change, state=state)
        if change.is_step:
            return partial(_insert_step, live=live, change=change)
        return partial(rows.insert_change, task_id=live.id, change=change)

    def _settle(
        self,
        live: LiveTask,
        state: TaskState,
        on_commit: Callable[[], None] | None,
        _result: None,
        error: Exception | None,
    ) -> None:
        if error is not None:
            _log.error("task %s: a change to %s was not stored: %s", live.id, state.status.name, error)
            return
        live.committed = TaskEvent(live.view, state)
        if state.terminal:
            crash_points.reached("task.ended")
            self.ended_count += 1
            self.live.pop(live.id, None)
            if not live.ended.done():
                live.ended.set_result(live.committed)
        self.bus.publish(live.id, live.committed)
        if on_commit is not None:
            on_commit()

    async def settled(self) -> None:
        """Return when every change made so far is on disk."""
        await self._store.writer.write(_nothing, refusable=False)

    def log(self, live: LiveTask, log_type: int, text: str) -> None:
        """Append to the task's log, up to its limit; what comes close together is one event."""
        data = text.encode("utf-8", "replace")
        room = self._config.max_log_bytes - live.log_bytes
        live.log_bytes += len(data)
        if room < 0:
            return
        if len(data) > room:
            note = f"\n[the log ends here: it has reached {self._config.max_log_bytes} bytes]\n"
            data = data[:room] + note.encode()
        live.logs.append((log_type, data.decode("utf-8", "replace")))
        if live.log_flush is None:
            live.log_flush = self._loop.call_later(LOG_DELAY_SECONDS, self.change, live)

    def _taken_logs(self, live: LiveTask) -> tuple[tuple[int, str], ...]:
        """The log text that waits, joined by type."""
        if live.log_flush is None:
            return ()
        live.log_flush.cancel()
        live.log_flush = None
        joined: dict[int, list[str]] = {}
        for log_type, text in live.logs:
            joined.setdefault(log_type, []).append(text)
        live.logs.clear()
        return tuple((log_type, "".join(texts)) for log_type, texts in joined.items())

    def close(self) -> None:
        """The engine stops: nobody waits any more. What is unfinished is taken up by the next engine."""
        self.bus.close()
        for live in self.live.values():
            if live.log_flush is not None:
                live.log_flush.cancel()
            if live.work is not None:
                live.work.cancel()
            live.ended.cancel()
        self.live.clear()


def _nothing(_db: sqlite3.Connection) -> None:
    """Write nothing: what came before is committed with it."""


def _insert_step(db: sqlite3.Connection, *, live: LiveTask, change: Change) -> None:
    # When the end comes next it stands in this very transaction, and says when each step was.
    ends_next = live.state.terminal and live.state.seq == change.seq + 1
    if 0 < live.row_seq < change.seq and not ends_next:
        rows.insert_change(db, live.id, change)


def _finish(db: sqlite3.Connection, *, live: LiveTask, change: Change, state: TaskState) -> None:
    if live.row_seq < change.seq:
        rows.finish(db, live.id, state)
    rows.insert_logs(db, live.id, change)
    crash_points.reached("task.ending")
