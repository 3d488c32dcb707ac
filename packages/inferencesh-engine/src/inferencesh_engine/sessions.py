"""Sessions of one engine: who may call them, when they are over, and what is done about it then."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .clock import now
from .domain.problems import Problem
from .domain.session import SessionStatus, not_found, opened, why_over
from .domain.task import TaskStatus
from .store import sessions as rows
from .store.writer import Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .acceptance import Acceptable
    from .catalog import App
    from .config import EngineConfig
    from .dispatch import Dispatch
    from .domain.encoded import Encoded
    from .domain.session import Session
    from .domain.views import TaskEvent
    from .ledger import Ledger, LiveTask
    from .pool import Pool
    from .store import Store

_log = logging.getLogger("inferencesh.engine")


@dataclass(eq=False)
class LiveSession:
    """A session that is active, or still has to be wound up.

    Attributes:
        app: The app at the version its worker has loaded.
        setup: What its worker is set up with.
        alarm: Rings when it expires; None while it has calls.
        winding_up: Ends what is left of it; None while it is active.
        quiet: Set while it has no calls.
    """

    record: Session
    app: App
    setup: Encoded
    alarm: asyncio.TimerHandle | None = None
    winding_up: asyncio.Task[None] | None = None
    quiet: asyncio.Event = field(default_factory=asyncio.Event)


class Sessions:
    """All sessions of one engine."""

    def __init__(
        self, config: EngineConfig, store: Store, ledger: Ledger, dispatch: Dispatch, pool: Pool
    ) -> None:
        self._config = config
        self._store = store
        self._ledger = ledger
        self._dispatch = dispatch
        self._pool = pool
        self._live: dict[str, LiveSession] = {}
        self._loop = asyncio.get_running_loop()

    def get(self, session_id: str) -> dict[str, Any]:
        """The `AppSessionDTO`, also of a session that is over."""
        return self._record(session_id).dto(now())

    async def list(self) -> list[dict[str, Any]]:
        """Every session that is kept, newest first."""
        records = await self._store.scan(rows.newest_first)
        current = [self._live[each.id].record if each.id in self._live else each for each in records]
        return [record.dto(now()) for record in current]

    def keepalive(self, session_id: str) -> dict[str, Any]:
        """Set the idle clock back; gives the `AppSessionDTO`."""
        session = self.find(session_id)
        self._update(session, session.record.kept_alive(now()))
        return session.record.dto(now())

    async def end(self, session_id: str) -> None:
        """End it: when this returns its calls are over and its worker has unloaded the app.

        A session that is over already stays as it is.
        """
        self._record(session_id)
        session = self._live.get(session_id)
        if session is not None:
            ending = session.winding_up or self._finish(session, SessionStatus.ENDED)
            await asyncio.shield(ending)

    def find(self, session_id: str) -> LiveSession:
        """The session, to be called; raises the Problem of one that is unknown or over."""
        self._record(session_id).check()
        return self._live[session_id]

    @contextmanager
    def entered(self, new: Acceptable) -> Iterator[Session | None]:
        """Count a task as a call of its session: while it is being stored, and then on if that succeeds.

        Gives the record to be stored with it; None for a task without a session.
        """
        if new.spec.session_id is None:
            yield None
            return
        session = self._entered(new, new.spec.session_id)
        try:
            yield session.record
        except BaseException:
            self._withdraw(session, new.spec.id)
            raise

    def follow(self, call: LiveTask) -> None:
        """A task is on disk: hear of its end, if it is a call; if its session ended meanwhile, so does it."""
        if call.spec.session_id is None:
            return
        session = self._live[call.spec.session_id]
        call.ended.add_done_callback(partial(self._call_ended, session, call.id))
        if not session.record.active:
            self._condemn(session.record, call)

    def on_held(self, session_id: str, worker_id: str) -> None:
        """The session has a worker now."""
        session = self._live[session_id]
        self._update(session, session.record.held_by(worker_id, now()))

    def on_lost(self, session_id: str) -> None:
        """The session's worker has died."""
        session = self._live[session_id]
        if session.winding_up is None:
            self._finish(session, SessionStatus.LOST)

    def after_restart(self, call: LiveTask, change: dict[str, Any] | None) -> dict[str, Any] | None:
        """What a restarted engine does to an unfinished call, where `change` is done to any other task.

        A session whose first call starts over does so with it; what any other knew died with its worker.
        """
        known = self._store.session(call.spec.session_id or "")
        if known is None:
            return change
        session = self._live.get(known.id)
        goes_on = change is None or change["status"] is TaskStatus.QUEUED
        if session is None and goes_on and known.active and known.task_id == call.id and call.app is not None:
            session = self._live[known.id] = LiveSession(known, call.app, call.spec.setup)
        if session is None:
            over = known.over(SessionStatus.LOST, now())
            return {"status": _end_of_call(over, call), "error": why_over(over)}
        calls = (*session.record.calls, call.id)
        session.record = replace(session.record, calls=calls, idle_left=float(known.idle_timeout))
        self.follow(call)
        return change

    def recovered(self) -> None:
        """All unfinished calls were seen: sessions that do not go on have lost their worker."""
        for record in self._store.active_sessions():
            if record.id not in self._live:
                self._save(record.over(SessionStatus.LOST, now()))

    def close(self) -> None:
        """The engine stops."""
        for session in self._live.values():
            for pending in (session.alarm, session.winding_up):
                if pending is not None:
                    pending.cancel()

    def _record(self, session_id: str) -> Session:
        session = self._live.get(session_id)
        if session is not None:
            self._look(session)
            return session.record
        record = self._store.session(session_id)
        if record is None:
            raise not_found(session_id)
        return record

    def _entered(self, new: Acceptable, session_id: str) -> LiveSession:
        if new.session is not None:
            session = self.find(session_id)
            self._set(session, session.record.called(new.spec.id, now()))
            return session
        self._refuse_when_full(new.app)
        record = opened(
            session_id,
            app_id=new.spec.app_id,
            app_version_id=new.spec.app_version_id,
            task_id=new.spec.id,
            timeout=new.spec.session_timeout,
            now=new.spec.created_at,
        )
        session = self._live[session_id] = LiveSession(record, new.app, new.spec.setup)
        return session

    def _refuse_when_full(self, app: App) -> None:
        records = [session.record for session in self._live.values()]
        of_app = [record for record in records if record.app_id == app.app_id]
        if len(of_app) >= self._config.max_sessions_per_app:
            raise _full(f"{app.ref} has {len(of_app)} sessions (max_sessions_per_app)", of_app)
        if len(records) >= self._config.max_sessions:
            raise _full(f"there are {len(records)} sessions (max_sessions)", records)

    def _withdraw(self, session: LiveSession, task_id: str) -> None:
        if session.record.task_id == task_id:
            del self._live[session.record.id]
        else:
            self._set(session, session.record.withdrawn(task_id, now()))

    def _call_ended(self, session: LiveSession, task_id: str, ended: asyncio.Future[TaskEvent]) -> None:
        if not ended.cancelled():
            completed = ended.result().state.status is TaskStatus.COMPLETED
            self._update(session, session.record.answered(task_id, completed, now()))

    def _update(self, session: LiveSession, record: Session) -> None:
        self._set(session, record)
        self._save(record)

    def _set(self, session: LiveSession, record: Session) -> None:
        session.record = record
        if record.calls:
            session.quiet.clear()
        else:
            session.quiet.set()
        self._set_alarm(session)

    def _set_alarm(self, session: LiveSession) -> None:
        if session.alarm is not None:
            session.alarm.cancel()
            session.alarm = None
        record = session.record
        if record.active and not record.calls:
            session.alarm = self._loop.call_later(record.expires_at - now(), self._ring, session)

    def _ring(self, session: LiveSession) -> None:
        self._look(session)
        if session.winding_up is None:
            # The two clocks differ by a little.
            self._set_alarm(session)

    def _look(self, session: LiveSession) -> None:
        """Let it expire, if it is time."""
        if session.record.is_due(now()):
            self._finish(session, SessionStatus.EXPIRED)

    def _finish(self, session: LiveSession, how: SessionStatus) -> asyncio.Task[None]:
        self._set(session, session.record.over(how, now()))
        session.winding_up = self._loop.create_task(self._wind_up(session))
        return session.winding_up

    async def _wind_up(self, session: LiveSession) -> None:
        await self._store.writer.write(partial(rows.save, session=session.record), refusable=False)
        # The last call first: none of them is to begin because the one before it has ended.
        for task_id in reversed(session.record.calls):
            call = self._ledger.live.get(task_id)
            if call is not None:
                await self._end_call(session.record, call)
        if session.record.calls:
            await session.quiet.wait()
        await self._pool.release(session.record.id)
        del self._live[session.record.id]

    async def _end_call(self, record: Session, call: LiveTask) -> None:
        self._condemn(record, call)
        if record.status is not SessionStatus.LOST:
            await self._dispatch.stop(call, self._config.cancel_grace_seconds)

    def _condemn(self, record: Session, call: LiveTask) -> None:
        """Let a call end with its session, and say so; no lost worker takes a result that is here already."""
        if record.status is not SessionStatus.LOST:
            self._ledger.change(call, status=TaskStatus.CANCELLING, error=why_over(record))
        elif call.state.status is not TaskStatus.UPLOADING:
            self._ledger.change(call, status=_end_of_call(record, call), error=why_over(record))

    def _save(self, record: Session) -> None:
        run = partial(rows.save, session=record)
        settle = partial(_log_failure, record.id)
        self._store.writer.defer(Write(run, settle, durable=False, refusable=False))


def _end_of_call(record: Session, call: LiveTask) -> TaskStatus:
    lost = record.status is SessionStatus.LOST and call.state.status is not TaskStatus.CANCELLING
    return TaskStatus.FAILED if lost else TaskStatus.CANCELLED


def _full(what: str, records: Iterable[Session]) -> Problem:
    at = now()
    seconds = max(1, math.ceil(min((record.expiry(at) - at for record in records), default=1)))
    detail = f"{what}; end one that is not needed, or try again when one has expired"
    return Problem(429, "session_limit", detail, retry_after=seconds)


def _log_failure(session_id: str, _result: None, error: Exception | None) -> None:
    if error is not None:
        _log.error("session %s: a change was not stored: %s", session_id, error)
