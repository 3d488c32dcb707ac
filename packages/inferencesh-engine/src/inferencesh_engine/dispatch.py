"""From an accepted task to a job in the pool: its time, its app, its files."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from . import crash_points
from .domain.jobs import Job
from .domain.problems import Problem
from .domain.recovery import runs_once
from .domain.task import TaskStatus

if TYPE_CHECKING:
    from .catalog import App
    from .domain.jobs import Description
    from .domain.task import TaskSpec
    from .files import Files
    from .ledger import Ledger, LiveTask
    from .pool import Pool

_MAX_SLEEP_SECONDS = 3600.0  # the wall clock may be set meanwhile


class Dispatch:
    """Hands tasks to the pool when their time has come."""

    def __init__(self, ledger: Ledger, files: Files, pool: Pool) -> None:
        self._ledger = ledger
        self._files = files
        self._pool = pool
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, live: LiveTask) -> None:
        """Submit the task now, or at its `run_at`."""
        if (live.spec.run_at or 0) > time.time():
            live.work = asyncio.create_task(self._later(live))
        else:
            await self.submit(live)

    def begins_at_once(self, spec: TaskSpec, app: App, described: Description | None) -> bool:
        """Whether `begin` will hand the task on without waiting for anything."""
        return spec.session_id is None and self._enters_at_once(app, _input_schema(spec, described))

    def _enters_at_once(self, app: App, schema: Any) -> bool:
        """Whether a ready worker may enter the app's code with the call, without steps before.

        What may run only once is first known to have been handed out, and files have to be brought.
        """
        return not (self._files.may_hold_files(schema) or runs_once(app))

    def again(self, live: LiveTask) -> None:
        """Submit a further attempt, once its number is on disk: no two attempts may share one."""
        live.submitted = False
        live.work = asyncio.create_task(self._again(live))

    async def _again(self, live: LiveTask) -> None:
        await self._ledger.settled()
        await self.submit(live)

    async def _later(self, live: LiveTask) -> None:
        while (left := (live.spec.run_at or 0) - time.time()) > 0:  # noqa: ASYNC110  # the clock's turn
            await asyncio.sleep(min(left, _MAX_SLEEP_SECONDS))  # the clock is the event
        live.work = None
        await self.submit(live)

    async def submit(self, live: LiveTask) -> None:
        """Submit the task; it fails with the reason when that cannot be done.

        Calls of one session reach the pool in the order in which they came.
        """
        if live.spec.session_id is None:
            await self._submit(live)
            return
        async with self._turns.setdefault(live.spec.session_id, asyncio.Lock()):
            await self._submit(live)

    async def stop(self, live: LiveTask, grace: float) -> None:
        """End a task that is cancelling: its app has `grace` seconds to stop by itself."""
        if live.work is not None:
            live.work.cancel()
            self._ledger.change(live, status=TaskStatus.CANCELLED)
        elif live.submitted:
            await self._pool.cancel(live.id, grace)

    async def _submit(self, live: LiveTask) -> None:
        try:
            job = await self._job(live)
        except Problem as problem:
            self._ledger.change(live, status=TaskStatus.FAILED, error=problem.detail)
            return
        if live.state.terminal:
            return
        if live.state.status is TaskStatus.CANCELLING:
            self._ledger.change(live, status=TaskStatus.CANCELLED)
            return
        live.work = None
        live.submitted = True
        await self._pool.submit(job)
        crash_points.reached("task.submitted")

    async def _job(self, live: LiveTask) -> Job:
        spec, app = live.spec, live.app
        if app is None:
            raise Problem(404, "app_not_found", f"app {spec.app} is gone since the task was accepted")
        schema = _input_schema(spec, live.description)
        return Job(
            task_id=spec.id,
            attempt=live.state.attempt,
            app=app,
            function=spec.function,
            setup=spec.setup.value,
            input=await self._files.for_worker(_given(spec.input.value), schema),
            session=spec.session_id,
            at_once=self._enters_at_once(app, schema),
            metadata={
                "task_id": spec.id,
                "attempt": live.state.attempt,
                "app_id": app.app_id,
                "app_version_id": app.version_id,
                "app_variant": spec.app_variant,
            },
        )


def _given(value: Any) -> Any:
    """Clients send null when the caller gave no input."""
    return {} if value is None else value


def _input_schema(spec: TaskSpec, described: Description | None) -> Any:
    """The JSON Schema of the task's input; None when it is not known."""
    function = described.function(spec.function) if described is not None else None
    return function.input_schema if function is not None else None


def output_schema(live: LiveTask) -> Any:
    """The JSON Schema of the task's output; None when it is not known."""
    function = live.description.function(live.spec.function) if live.description is not None else None
    return function.output_schema if function is not None else None
