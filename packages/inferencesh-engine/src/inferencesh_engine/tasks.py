"""The verbs about tasks: run, wait, cancel, follow, list."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from . import crash_points
from .domain.problems import Problem, not_found
from .domain.recovery import after_restart, at_stop
from .domain.task import TaskStatus, received
from .domain.views import RunOutcome, SpecView, TaskEvent, logs_dto, rfc3339, timings_dto
from .once import Once
from .store import keys, sessions
from .store import tasks as rows
from .store import webhooks as due
from .task_list import TaskList

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Mapping

    from .acceptance import Acceptable, Acceptance
    from .config import EngineConfig
    from .dispatch import Dispatch
    from .domain.idempotency import Idempotency
    from .domain.listing import ListQuery, Page
    from .domain.session import Session
    from .domain.task import TaskSpec, TaskState
    from .fresh_addresses import FreshAddresses
    from .ledger import Ledger, LiveTask
    from .sessions import Sessions
    from .store import Store
    from .store.history import History
    from .webhooks import Webhooks

_STATES_AT_ONCE = 64


class Tasks:
    """All tasks of one engine."""

    def __init__(
        self,
        config: EngineConfig,
        store: Store,
        ledger: Ledger,
        acceptance: Acceptance,
        dispatch: Dispatch,
        sessions: Sessions,
        shown: FreshAddresses,
        webhooks: Webhooks,
    ) -> None:
        self._config = config
        self._store = store
        self._ledger = ledger
        self._acceptance = acceptance
        self._dispatch = dispatch
        self._sessions = sessions
        self._once = Once(config, store)
        self._shown = shown
        self._webhooks = webhooks
        self._list = TaskList(store, ledger, shown)

    async def run(self, body: Mapping[str, Any], idempotency: Idempotency | None) -> RunOutcome:
        """Accept a task: on disk when this returns. A repeated key gives the first answer again."""
        return await self._once.run(idempotency, self._replay, partial(self._accept, body, idempotency))

    def _replay(self, idempotency: Idempotency, task_id: str) -> RunOutcome:
        known = self._store.history.get(task_id)
        if known is None:
            detail = f"task {task_id}, which Idempotency-Key {idempotency.key!r} made, has been deleted since"
            raise Problem(410, "task_deleted", detail)
        return RunOutcome(self._shown.event(known[0], received(known[0])), replayed=True)

    async def _accept(self, body: Mapping[str, Any], idempotency: Idempotency | None) -> RunOutcome:
        self._refuse_when_full()
        new = await self._acceptance.check(body)
        crash_points.reached("task.validated")
        # Who is answered when the task has ended is answered after that end, and all before it, was synced.
        durable = body.get("wait") is not True
        if not durable and self._dispatch.begins_at_once(new.spec, new.app, new.description):
            return await self._begin_ahead(new, idempotency)
        beginning = self._begin(new, idempotency, durable=durable)
        # A caller who leaves meanwhile must not leave a task on disk that nobody runs.
        return RunOutcome(await asyncio.shield(beginning))

    async def _begin(self, new: Acceptable, idempotency: Idempotency | None, *, durable: bool) -> TaskEvent:
        with self._sessions.entered(new) as session:
            await self._insert(new, idempotency, session, durable=durable)
        live = self._open(new)
        crash_points.reached("task.accepted")
        accepted = live.committed
        await self._dispatch.begin(live)
        return accepted

    async def _begin_ahead(self, new: Acceptable, idempotency: Idempotency | None) -> RunOutcome:
        """Store the task while a worker has it already. Nothing here waits before both are under way.

        A call that is over before its row is written is written once, as it ended.
        """
        live = self._open(new)
        stored = self._ledger.keep_later(live, partial(_insert_begun, live=live, idempotency=idempotency))
        outcome = RunOutcome(live.committed, ended=live.ended)
        await self._dispatch.begin(live)
        # The worker has work, so there is time for that part of the answer which will not change.
        _ = live.view.json
        try:
            await stored
        except Problem:
            self._ledger.refuse(live)
            await self._dispatch.stop(live, 0)
            raise
        crash_points.reached("task.accepted")
        return outcome

    def _refuse_when_full(self) -> None:
        limit = self._config.max_queued_tasks
        if len(self._ledger.live) >= limit:
            detail = f"{limit} tasks wait or run already (max_queued_tasks); try again when some have ended"
            raise Problem(429, "queue_full", detail, retry_after=1)

    def _insert(
        self, new: Acceptable, idempotency: Idempotency | None, session: Session | None, *, durable: bool
    ) -> asyncio.Future[None]:
        insert = partial(_insert, spec=new.spec, session=session, idempotency=idempotency)
        return self._store.writer.begin(insert, durable=durable)

    def _open(self, new: Acceptable) -> LiveTask:
        live = self._ledger.open(new.spec, received(new.spec), new.app)
        live.description = new.description
        self._sessions.follow(live)
        self._webhooks.follow(live)
        return live

    async def recover(self) -> None:
        """Take up the tasks an earlier engine left unfinished."""
        self._webhooks.resume()
        for spec, state in self._store.history.unfinished():
            app = self._acceptance.find_again(spec)
            live = self._ledger.open(spec, state, app)
            self._webhooks.follow(live)
            change = after_restart(state, app, self._config.max_attempts)
            if spec.session_id is not None:
                change = self._sessions.after_restart(live, change)
            if change is not None:
                crash_points.reached("recovery.decided")
                self._ledger.change(live, **change)
        self._sessions.recovered()
        # A new attempt begins when its number is on disk: no two attempts may share one.
        await self._ledger.settled()
        for live in list(self._ledger.live.values()):
            await self._dispatch.begin(live)

    def hand_on(self) -> None:
        """Leave what runs to the next engine, but not calls of sessions: what their workers know is lost."""
        for live in list(self._ledger.live.values()):
            change = at_stop(live.state, live.app, self._config.max_attempts)
            if change is not None and live.spec.session_id is None:
                self._ledger.change(live, **change)

    async def end_of(self, outcome: RunOutcome) -> TaskEvent:
        """The final state of a task that was just asked for."""
        if outcome.ended is None:
            return await self.ended(outcome.task_id)
        return await asyncio.shield(outcome.ended)

    async def ended(self, task_id: str) -> TaskEvent:
        """The final state, once there is one; raises CancelledError when the engine stops before."""
        live = self._ledger.live.get(task_id)
        return await asyncio.shield(live.ended) if live is not None else self.now(task_id)

    def now(self, task_id: str) -> TaskEvent:
        """The newest committed state."""
        live = self._ledger.live.get(task_id)
        if live is not None:
            return live.committed
        known = self._store.history.get(task_id)
        if known is None:
            raise not_found("task", task_id)
        return self._shown.event(*known)

    def status(self, task_id: str) -> dict[str, Any]:
        """The short form that pollers ask for."""
        state = self.now(task_id).state
        return {"id": task_id, "status": int(state.status), "updated_at": rfc3339(state.updated_at)}

    async def cancel(self, task_id: str, *, grace: float | None, force: bool) -> TaskEvent:
        """Cancel; gives the final state, whatever it became. A task that has ended stays as it is."""
        live = self._ledger.live.get(task_id)
        if live is None:
            return self.now(task_id)
        if live.state.status is not TaskStatus.CANCELLING:
            self._ledger.change(live, status=TaskStatus.CANCELLING, on_commit=_cancelling)
        grace = self._config.cancel_grace_seconds if grace is None else grace
        await self._dispatch.stop(live, 0 if force else grace)
        return await asyncio.shield(live.ended)

    async def delete(self, task_id: str) -> None:
        """Forget a task that has ended; raises Problem 409 for one that has not."""
        if task_id in self._ledger.live:
            raise Problem(409, "task_not_ended", f"task {task_id} has not ended; cancel it first")
        self.now(task_id)
        await self._store.writer.write(partial(rows.delete, task_ids=[task_id]))

    async def logs(self, task_id: str) -> dict[str, Any]:
        """Status changes and all log text that is kept."""
        event = self.now(task_id)
        texts = await self._store.scan_history(lambda history: history.logs(task_id))
        return {
            "task_id": task_id,
            "status": int(event.state.status),
            "events": event.task["events"],
            "logs": logs_dto(task_id, texts),
        }

    def timings(self, task_id: str) -> dict[str, Any]:
        """How long the task was in each status."""
        return timings_dto(task_id, self.now(task_id).state)

    async def list(self, query: ListQuery) -> Page:
        """A page of tasks."""
        return await self._list.page(query)

    def follow(self, task_id: str, *, after: int | None) -> AsyncIterator[TaskEvent]:
        """The task's events until the final one. Raises Problem 404 at once.

        Without `after` the present state comes first, and a slow reader may miss states in between. With it,
        every event numbered higher comes, in order.
        """
        now = self.now(task_id)
        if after is None or (now.terminal and after >= now.seq):
            return self._follow_newest(now)
        return self._follow_all(now.view.spec, after)

    async def _follow_newest(self, event: TaskEvent) -> AsyncIterator[TaskEvent]:
        with self._ledger.bus.following(event.view.spec.id) as follower:
            newest: TaskEvent | None = self.now(event.view.spec.id)
            while newest is not None:
                yield newest
                if newest.terminal:
                    return
                newest = await follower.next()

    async def _follow_all(self, spec: TaskSpec, after: int) -> AsyncIterator[TaskEvent]:
        view, state = SpecView(spec), received(spec)
        if after < 1:
            yield TaskEvent(view, state)
        with self._ledger.bus.following(spec.id) as follower:
            while not state.terminal:
                states = await self._store.scan_history(partial(_states_after, spec=spec, base=state))
                for state in states:
                    if state.seq > after:
                        yield TaskEvent(view, self._shown.state(state))
                if not states and await follower.next() is None:
                    return


def _states_after(history: History, *, spec: TaskSpec, base: TaskState) -> list[TaskState]:
    return history.after(spec, base, at_most=_STATES_AT_ONCE)


def _cancelling() -> None:
    crash_points.reached("task.cancelling")


def _insert(
    db: sqlite3.Connection, *, spec: TaskSpec, session: Session | None, idempotency: Idempotency | None
) -> None:
    """Write a new task's row, and what belongs to it."""
    _insert_as(db, spec, received(spec), idempotency)
    if session is not None:
        sessions.save(db, session)
    crash_points.reached("task.committing")


def _insert_begun(
    db: sqlite3.Connection, *, live: LiveTask, idempotency: Idempotency | None
) -> TaskState | None:
    """Write the row of a task that has begun already, and those of its steps that a row cannot tell.

    Gives the state that this tells; None for an end, which is told by itself.
    """
    live.row_seq, told = 0, live.row_state
    _insert_as(db, live.spec, told, idempotency)
    live.row_seq = told.seq
    for step, state in live.untold:
        if step.seq > told.seq:
            rows.insert_change(db, live.id, step)
            told = state
    crash_points.reached("task.committing")
    return None if told.terminal else told


def _insert_as(
    db: sqlite3.Connection, spec: TaskSpec, state: TaskState, idempotency: Idempotency | None
) -> None:
    rows.insert(db, spec, state)
    if idempotency is not None:
        keys.insert(db, idempotency, spec.id, spec.created_at)
    if spec.webhook is not None:
        due.insert(db, spec.id)
