"""One worker process as the pool sees it: where it stands, which job it has, and what becomes of that."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from inferencesh_app.worker import protocol

from .domain.jobs import Description, FunctionDescription, LoadFailure
from .domain.task import TaskStatus
from .executors import WorkerExit, WorkerSpec
from .executors.allowance import Allowance

if TYPE_CHECKING:
    from inferencesh_app.worker.protocol import Message

    from .catalog import App, Catalog
    from .config import EngineConfig
    from .domain.jobs import Job, PoolObserver
    from .executors import Executor, WorkerHandle

# Partial outputs and log records; a worker that has more of them to tell is made to wait.
_NEWS_PER_SECOND = 5000

_LOG_BUILD, _LOG_SERVE = 0, 2

_CANCELLED = ("cancelled", "")


class _Phase(Enum):
    """What the worker is doing, in the words of an error message."""

    PREPARING = "its environment was prepared"
    LOADING = "loading the app"
    LOADED = "waiting"
    SETTING_UP = "setting the app up"
    READY = "waiting for a task"
    CALLING = "running the task"
    LEAVING = "unloading the app"


_LOG_TYPES = {_Phase.LOADING: _LOG_SERVE, _Phase.SETTING_UP: protocol.LOG_SETUP}


class WorkerKeeper(Protocol):
    """Who keeps the worker: the pool."""

    def worker_described(self, worker: Worker, outcome: Description | LoadFailure) -> None:
        """The app is loaded, or could not be."""

    def worker_set_up(self, worker: Worker) -> None:
        """The app is set up, and the worker's job begins."""

    def worker_entered(self, worker: Worker) -> None:
        """The app's code runs: the input is checked, and its files are there."""

    def worker_free(self, worker: Worker) -> None:
        """The worker can take a job."""

    def worker_gone(self, worker: Worker) -> None:
        """The worker and all it started are gone."""


class Worker:
    """The engine's side of the worker protocol.

    Attributes:
        job: What it is working on; None while it is idle or only loads its app.
        outcome: What it says the app is, or why that could not be loaded; None until it is known.
        gone: Set when its process has ended.
    """

    def __init__(
        self, worker_id: str, app: App, config: EngineConfig, keeper: WorkerKeeper, observer: PoolObserver
    ) -> None:
        self.id = worker_id
        self.app = app
        self.job: Job | None = None
        self.outcome: Description | LoadFailure | None = None
        self.gone = asyncio.Event()
        self._config = config
        self._keeper = keeper
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._phase = _Phase.PREPARING
        self._handle: WorkerHandle | None = None
        self._starting: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        # Why the present job is being ended: the kind and text of a failure, or that it was cancelled.
        self._verdict: tuple[str, str] | None = None
        self._job_over: asyncio.Event | None = None
        self._news = Allowance(_NEWS_PER_SECOND)
        self._handlers = {
            "loaded": self._on_loaded,
            "load_failed": self._on_load_failed,
            "ready": self._on_ready,
            "setup_failed": self._on_setup_failed,
            "started": self._on_started,
            "output": self._on_output,
            "log": self._on_log,
            "result": self._on_result,
            "failed": self._on_failed,
        }

    def start(self, job: Job | None, catalog: Catalog, executor: Executor) -> None:
        """Start the process, for a job or (None) only to load the app."""
        self._accept(job)
        seconds = self._config.setup_timeout_seconds
        self._limit(seconds, f"{self.app.ref} was not ready after {seconds:g} s (setup_timeout_seconds)")
        self._starting = self._loop.create_task(self._start(catalog, executor))
        self._starting.add_done_callback(self._start_ended)

    def take(self, job: Job | None) -> None:
        """Work on a job; None is over at once, with the description the worker has."""
        self._accept(job)
        if job is None and self.outcome is not None:
            self._describe(self.outcome)
        self._go_on()

    def retire(self, grace_seconds: float) -> None:
        """Let an idle worker unload its app and leave; it is killed after the grace."""
        self._phase = _Phase.LEAVING
        self._send(protocol.unload())
        self._loop.call_later(grace_seconds, self.kill)

    def abandon(self) -> None:
        """Kill the worker, without a word to anybody about its job."""
        self.job = None
        self.kill()

    async def cancel(self, grace_seconds: float) -> None:
        """End the present job: ask the app, kill the worker after the grace. Returns when it has ended."""
        self._verdict = _CANCELLED
        self._job_over = self._job_over or asyncio.Event()
        over = self._job_over
        self._end_job(grace_seconds)
        await over.wait()

    def kill(self) -> None:
        """End the process and all it started."""
        if self._handle is not None:
            self._handle.kill()
        elif self._starting is not None:
            self._starting.cancel()

    def on_message(self, message: Message) -> None:
        """Act on what the worker says; what it says of an earlier call is dropped."""
        call = message.get("call")
        if call is not None and (self.job is None or call != _call_id(self.job)):
            return
        handler = self._handlers.get(message["type"])
        if handler is not None:
            handler(message)

    def on_text(self, text: str) -> None:
        """Put what the app printed into the log."""
        self._log(_LOG_TYPES.get(self._phase, protocol.LOG_RUN), text)

    def on_exit(self, exit: WorkerExit) -> None:  # noqa: A002  # the name of the thing
        """Settle what is open: nobody waits for a dead worker."""
        died = f"worker of {self.app.ref} died ({exit}) while {self._phase.value}"
        verdict = self._verdict or ("worker_died", died)
        if self.outcome is None and verdict != _CANCELLED:
            self._describe(LoadFailure(verdict[1]))
        if self.job is not None:
            self._fail(verdict)
        self._forget_deadline()
        self.gone.set()
        self._keeper.worker_gone(self)

    async def _start(self, catalog: Catalog, executor: Executor) -> None:
        self._status(TaskStatus.PREPARING)
        prepared = await catalog.prepare(self.app, lambda text: self._log(_LOG_BUILD, text))
        self._status(TaskStatus.SERVING)
        self._phase = _Phase.LOADING
        spec = WorkerSpec(
            folder=self.app.folder,
            environment=prepared.environment,
            max_message_bytes=self._config.max_event_bytes,
            interpreter=prepared.interpreter,
            notes=self.app.manifest.notes,
        )
        self._handle = await executor.start(spec, self)

    def _start_ended(self, starting: asyncio.Task[None]) -> None:
        """There is a process, or there is none and never will be."""
        if starting.cancelled():
            self.on_exit(WorkerExit(None, "stopped"))
        elif (error := starting.exception()) is not None:
            failure = ("load_failed", f"{self.app.ref} could not be started: {error}")
            self._verdict = self._verdict or failure
            self.on_exit(WorkerExit(None, str(error)))

    def _accept(self, job: Job | None) -> None:
        self.job, self._verdict, self._job_over = job, None, None
        if not self._begins_at_once(job):
            self._status(TaskStatus.DISPATCHED)

    def _go_on(self) -> None:
        job = self.job
        if job is None:
            self._keeper.worker_free(self)
        elif self._phase is _Phase.LOADED:
            self._set_up(job)
        else:
            self._call(job)

    def _set_up(self, job: Job) -> None:
        self._phase = _Phase.SETTING_UP
        seconds = self._config.setup_timeout_seconds
        self._limit(seconds, f"{self.app.ref} was not set up after {seconds:g} s (setup_timeout_seconds)")
        self._status(TaskStatus.SETTING_UP)
        self._send(protocol.setup(job.setup, self._metadata(job)))

    def _call(self, job: Job) -> None:
        seconds = self._config.task_timeout_seconds
        if seconds is not None:
            self._limit(seconds, f"{self.app.ref} did not finish within {seconds:g} s (task_timeout_seconds)")
        begun = self._begins_at_once(job)
        self._phase = _Phase.CALLING
        self._send(protocol.call(_call_id(job), job.function, job.input, self._metadata(job), quiet=begun))
        if begun:
            self._entered(job)

    def _begins_at_once(self, job: Job | None) -> bool:
        """Whether giving the job to this worker enters the app's code, without steps to tell between."""
        return job is not None and job.at_once and self._phase is _Phase.READY

    def _entered(self, job: Job) -> None:
        self._keeper.worker_entered(self)
        self._observer.on_started(job.task_id, job.attempt, self.id)

    def _metadata(self, job: Job) -> dict[str, Any]:
        return {**job.metadata, "worker_id": self.id}

    def _on_loaded(self, message: Message) -> None:
        self._forget_deadline()
        self._phase = _Phase.LOADED
        self._describe(_description(message["description"]))
        self._go_on()

    def _on_load_failed(self, message: Message) -> None:
        self._describe(LoadFailure(message["error"], message["traceback"]))
        self._broke("load_failed", message)

    def _on_ready(self, _message: Message) -> None:
        self._forget_deadline()
        self._phase = _Phase.READY
        if self._verdict is None:
            self._keeper.worker_set_up(self)
            self._go_on()

    def _on_setup_failed(self, message: Message) -> None:
        self._broke("setup_failed", message)

    def _broke(self, kind: str, message: Message) -> None:
        """The app is unusable in this worker, which is about to leave."""
        self._phase = _Phase.LEAVING
        if self.job is not None:
            self._fail(self._verdict or (kind, message["error"]), message["traceback"])
        self.kill()

    def _on_started(self, _message: Message) -> None:
        if self.job is not None:
            self._entered(self.job)

    def _on_output(self, message: Message) -> None:
        if self.job is not None:
            self._observer.on_output(self.job.task_id, self.job.attempt, message["output"])
        self._count_news()

    def _on_log(self, message: Message) -> None:
        self._log(message["log_type"], message["content"] + "\n")
        self._count_news()

    def _on_result(self, message: Message) -> None:
        if self.job is None:
            return
        if self._verdict is None or self._verdict == _CANCELLED:
            job = self._let_go(self.job)
            self._free()  # first: the worker has its next job while this one is brought to its end
            self._observer.on_result(job.task_id, job.attempt, message["output"])
        else:
            self._fail(self._verdict)
            self._free()

    def _on_failed(self, message: Message) -> None:
        if self.job is not None:
            self._fail(self._verdict or (message["kind"], message["error"]), message["traceback"])
            self._free()

    def _free(self) -> None:
        self._forget_deadline()
        self._phase = _Phase.READY
        self._keeper.worker_free(self)

    def _fail(self, verdict: tuple[str, str], traceback: str = "") -> None:
        if self.job is None:
            return
        job = self._let_go(self.job)
        if verdict == _CANCELLED:
            self._observer.on_cancelled(job.task_id, job.attempt)
        else:
            self._observer.on_failed(job.task_id, job.attempt, *verdict, traceback)

    def _let_go(self, job: Job) -> Job:
        """The job is over: forget it before anybody hears of that and hands it in again."""
        self.job = None
        if self._job_over is not None:
            self._job_over.set()
        return job

    def _limit(self, seconds: float, error: str) -> None:
        self._forget_deadline()
        self._deadline = self._loop.call_later(seconds, self._time_is_up, error)

    def _time_is_up(self, error: str) -> None:
        self._verdict = self._verdict or ("timeout", error)
        self._end_job(self._config.cancel_grace_seconds)

    def _end_job(self, grace_seconds: float) -> None:
        """Only a running call can be asked to end."""
        self._forget_deadline()
        if self._phase is not _Phase.CALLING or grace_seconds <= 0 or self.job is None:
            self.kill()
            return
        self._send(protocol.cancel(_call_id(self.job)))
        self._deadline = self._loop.call_later(grace_seconds, self.kill)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _describe(self, outcome: Description | LoadFailure) -> None:
        self.outcome = outcome
        self._keeper.worker_described(self, outcome)

    def _status(self, status: TaskStatus) -> None:
        if self.job is not None:
            self._observer.on_status(self.job.task_id, self.job.attempt, status)

    def _log(self, log_type: int, text: str) -> None:
        job = self.job
        task_id, attempt = (job.task_id, job.attempt) if job is not None else (None, 0)
        self._observer.on_log(task_id, attempt, log_type, text)

    def _count_news(self) -> None:
        wait_seconds = self._news.spend(1, self._loop.time())
        if wait_seconds > 0 and self._handle is not None:
            self._handle.pause(wait_seconds)

    def _send(self, message: Message) -> None:
        if self._handle is not None:
            self._handle.send(message)


def _call_id(job: Job) -> str:
    return f"{job.task_id}:{job.attempt}"


def _description(said: dict[str, Any]) -> Description:
    functions = {name: FunctionDescription(**function) for name, function in said["functions"].items()}
    return Description(functions, said["default_function"], said["setup_schema"])
