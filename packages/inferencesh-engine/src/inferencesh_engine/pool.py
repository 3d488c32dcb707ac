"""The worker pool: carries out what the scheduler decides, and tells the observer what becomes of jobs."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any

from .domain.jobs import Description, LoadFailure
from .domain.placement import Dispatch, Start, Ticket
from .domain.task import TaskStatus
from .scheduler import Limits, Scheduler
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .catalog import App, Catalog
    from .config import EngineConfig
    from .domain.jobs import Job, PoolObserver
    from .domain.placement import Command
    from .executors import Executor


class Pool:
    """Runs jobs in workers that are started when needed and kept warm for a while."""

    def __init__(
        self, config: EngineConfig, catalog: Catalog, executor: Executor, observer: PoolObserver
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._executor = executor
        self._observer = observer
        limits = Limits(config.max_workers, config.max_workers_per_app, config.worker_idle_seconds)
        self._scheduler = Scheduler(limits, _worker_ids())
        self._jobs: dict[str, Job] = {}  # waiting for a worker, by task
        self._workers: dict[str, Worker] = {}
        self._held: dict[str, Worker] = {}  # by the session that holds it
        self._descriptions: dict[str, tuple[str, Description]] = {}  # by app: its version and what it says
        self._asked: dict[str, _Question] = {}  # by version
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._stopped = False

    async def submit(self, job: Job) -> None:
        """Run a job when its turn comes; the observer hears of everything after."""
        if self._stopped:
            return
        self._jobs[job.task_id] = job
        ticket = Ticket(
            job.task_id, job.app.app_id, job.app.version_id, canonical_setup(job.setup), job.session
        )
        self._obey(self._scheduler.submit(ticket, self._now()))
        if job.task_id in self._jobs:
            self._observer.on_status(job.task_id, job.attempt, TaskStatus.QUEUED)

    async def cancel(self, task_id: str, grace: float) -> None:
        """End a job: the app is asked to, and after `grace` seconds its worker is killed; 0 kills at once.

        Returns when the observer has heard how it ended; at once when the pool does not have the job.
        """
        if self._scheduler.withdraw(task_id):
            job = self._jobs.pop(task_id)
            self._observer.on_cancelled(task_id, job.attempt)
            return
        for worker in self._workers.values():
            if worker.job is not None and worker.job.task_id == task_id:
                await worker.cancel(grace)
                return

    async def release(self, session: str) -> None:
        """Let the session's worker unload its app and leave; returns when it has.

        It gets `cancel_grace_seconds` for that. A job it still has comes to its end first.
        """
        worker = self._held.pop(session, None)
        self._obey(self._scheduler.release(session))
        if worker is not None:
            await worker.gone.wait()

    async def describe(self, app: App) -> Description | LoadFailure:
        """What the app says about itself. An app not known yet is loaded; its worker stays for tasks."""
        version, description = self._descriptions.get(app.app_id, ("", None))
        if description is not None and version == app.version_id:
            return description
        question = self._asked.get(app.version_id)
        if question is None:
            question = self._asked[app.version_id] = _Question(app)
            if not self._is_loading(app.version_id):
                self._probe(question)
        return await asyncio.shield(question.answer)

    async def stop(self) -> None:
        """End all workers, busy ones at once. The observer hears nothing more."""
        self._stopped = True
        self._jobs.clear()
        asked, self._asked = self._asked, {}
        for question in asked.values():
            question.answer.set_result(LoadFailure("the engine is stopping"))
        for worker in list(self._workers.values()):
            if worker.job is None and worker.outcome is not None:
                worker.retire(self._config.cancel_grace_seconds)
            else:
                worker.abandon()
        if self._workers:
            await self._empty.wait()
        if self._alarm is not None:
            self._alarm.cancel()

    def worker_described(self, worker: Worker, outcome: Description | LoadFailure) -> None:
        """Answer those who asked. A failure is not kept: its cause may lie outside the app's folder."""
        if isinstance(outcome, Description):
            self._descriptions[worker.app.app_id] = (worker.app.version_id, outcome)
        question = self._asked.pop(worker.app.version_id, None)
        if question is not None:
            self._scheduler.withdraw(question.ticket.id)
            question.answer.set_result(outcome)

    def worker_set_up(self, worker: Worker) -> None:
        """The worker's job begins."""
        if not self._stopped:
            self._obey(self._scheduler.set_up(worker.id, self._now()))

    def worker_entered(self, worker: Worker) -> None:
        """The app's code runs."""
        self._scheduler.entered(worker.id, self._now())

    def worker_free(self, worker: Worker) -> None:
        """The worker can take a job."""
        if not self._stopped:
            self._obey(self._scheduler.finished(worker.id, self._now()))

    def worker_gone(self, worker: Worker) -> None:
        """The worker's place is free."""
        del self._workers[worker.id]
        if self._stopped:
            if not self._workers:
                self._empty.set()
            return
        self._obey(self._scheduler.gone(worker.id, self._now()))
        self._tell_if_lost(worker)
        question = self._asked.get(worker.app.version_id)
        if question is not None and worker.outcome is None and not self._is_loading(worker.app.version_id):
            self._probe(question)

    def _tell_if_lost(self, worker: Worker) -> None:
        for session in [session for session, holder in self._held.items() if holder is worker]:
            del self._held[session]
            self._jobs = {task_id: job for task_id, job in self._jobs.items() if job.session != session}
            self._observer.on_lost(session)

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Start):
                self._start(command)
            elif isinstance(command, Dispatch):
                self._give(self._workers[command.worker_id], self._jobs.pop(command.ticket_id, None))
            else:
                self._workers[command.worker_id].retire(self._config.cancel_grace_seconds)
        self._set_alarm()

    def _start(self, command: Start) -> None:
        job = self._jobs.pop(command.ticket_id, None)
        app = job.app if job is not None else self._asked[command.ticket_id].app
        worker = Worker(command.worker_id, app, self._config, self, self._observer)
        self._workers[worker.id] = worker
        self._hold(worker, job)
        worker.start(job, self._catalog, self._executor)

    def _give(self, worker: Worker, job: Job | None) -> None:
        self._hold(worker, job)
        worker.take(job)

    def _hold(self, worker: Worker, job: Job | None) -> None:
        if job is not None and job.session is not None and job.session not in self._held:
            self._held[job.session] = worker
            self._observer.on_held(job.session, worker.id)

    def _probe(self, question: _Question) -> None:
        self._obey(self._scheduler.submit(question.ticket, self._now()))

    def _is_loading(self, version: str) -> bool:
        return any(w.app.version_id == version and w.outcome is None for w in self._workers.values())

    def _set_alarm(self) -> None:
        """Wake up in time; an alarm that is early costs one look, so it is left to ring."""
        wakeup = self._scheduler.wakeup(self._now())
        if wakeup is None or (self._alarm is not None and self._alarm.when() <= wakeup):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(wakeup, self._tick)

    def _tick(self) -> None:
        self._alarm = None
        self._obey(self._scheduler.tick(self._now()))

    def _now(self) -> float:
        return self._loop.time()


class _Question:
    """Somebody wants to know what an app says about itself. The ticket's id is the version."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.ticket = Ticket(app.version_id, app.app_id, app.version_id, None)
        self.answer: asyncio.Future[Description | LoadFailure] = asyncio.get_running_loop().create_future()


def canonical_setup(setup: Any) -> str:
    """Text that is equal for equal setups; none at all and an empty one both mean the defaults."""
    return "null" if setup in (None, {}) else json.dumps(setup, sort_keys=True, separators=(",", ":"))


def _worker_ids() -> Iterator[str]:
    while True:
        yield f"worker_{secrets.token_hex(8)}"
