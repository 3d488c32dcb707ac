"""The engine as a library object: what the HTTP server, the `local:` endpoint and tests talk to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .config_values import with_values
from .plugins import Hooks
from .settings import load_settings
from .state_folder import make_state_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from .agents.runtime import AgentRuntime
    from .catalog import Catalog
    from .config import EngineConfig
    from .domain.idempotency import Idempotency
    from .domain.listing import ListQuery, Page
    from .domain.views import RunOutcome, TaskEvent
    from .executors import Executor
    from .files import Files
    from .marks import Marks
    from .pool import Pool
    from .sessions import Sessions
    from .settings import Settings
    from .store import Store


class Engine:
    """Runs apps from a folder as durable tasks.

    >>> async with Engine(EngineConfig(apps_dir=Path("apps"))) as engine:
    ...     outcome = await engine.run({"app": "greeter", "input": {"name": "Ada"}})
    ...     task = await engine.wait(outcome.task["id"])

    Expected failures are `Problem`s, which carry an HTTP status.

    Attributes:
        config: What it was told, and what `engine.yml` adds to that once it is started.
        base_url: Where the engine's HTTP API listens; None until a server says so. File URLs begin with it.
        settings: What `engine.yml` says. There once the engine is started, as are the others below.
        catalog: The apps and the agent templates.
        store: Tasks and file records.
        files: Uploads and outputs.
        pool: The workers.
        sessions: The sessions.
        marks: How tasks are shown to others.
    """

    base_url: str | None = None
    settings: Settings
    catalog: Catalog
    store: Store
    files: Files
    pool: Pool
    sessions: Sessions
    marks: Marks

    def __init__(self, config: EngineConfig, *, plugins: Sequence[object] = ()) -> None:
        self.config = config
        self._hooks = Hooks(plugins)

    async def start(self) -> None:
        """Open the store, find the apps, and take up the tasks an earlier engine left unfinished.

        Raises EngineStartError when the state folder is in use or damaged, or the served folder is wrong.
        """
        self.settings = load_settings(self.config.apps_dir)
        config = self.config = with_values(self.config, self.settings.values)
        async with AsyncExitStack() as on_failure:
            executor = self._hooks.executor(config)
            on_failure.push_async_callback(executor.close)
            await executor.open()
            from . import parts  # noqa: PLC0415 - half of a start: a spare worker gets ready meanwhile

            make_state_folder(config)
            self.store = parts.Store(config.state_path, max_log_chars=config.max_logs_in_state_bytes)
            on_failure.push_async_callback(self.store.close)
            await self._start_parts(executor)
            self._opened = on_failure.pop_all()
        await self._tasks.recover()
        if self.store.unfinished_chats():
            self.agents.chats.recover()
        self._retained = parts.Retention(config, self.store, self._ledger, self.files)
        self._retention = asyncio.create_task(self._retained.run_for_ever())

    async def _start_parts(self, executor: Executor) -> None:
        from . import parts  # noqa: PLC0415 - as above

        config = self.config
        sources = self._hooks.app_sources(config)
        self.catalog = parts.Catalog(config, sources, lambda: self.base_url, self.settings)
        self.files = parts.Files(config, self.store.files, lambda: self.base_url)
        await asyncio.to_thread(self.files.blobs.open)
        self._ledger = parts.Ledger(config, self.store)
        reports = parts.Reports(config, self._ledger, self.files)
        self.pool = parts.Pool(config, self.catalog, executor, reports)
        dispatch = reports.dispatch = parts.Dispatch(self._ledger, self.files, self.pool)
        self.sessions = reports.sessions = parts.Sessions(
            config, self.store, self._ledger, dispatch, self.pool
        )
        acceptance = parts.Acceptance(config, self.catalog, self.pool, self.files, self.sessions)
        self._shown = parts.FreshAddresses(self.files)
        self.marks = parts.Marks(self.store, self._ledger, self._task_now)
        self._webhooks = parts.Webhooks(config, self.store, self._task_now, lambda: self.base_url)
        self._tasks = parts.Tasks(
            config, self.store, self._ledger, acceptance, dispatch, self.sessions, self._shown, self._webhooks
        )

    @cached_property
    def agents(self) -> AgentRuntime:
        """Chats with agents; made when first asked for, because loading them would delay every start."""
        from .agents.runtime import AgentRuntime  # noqa: PLC0415

        return AgentRuntime(
            self.config,
            self.settings,
            self._hooks,
            self.store,
            self.catalog,
            self.pool,
            self.files,
            self._tasks,
            self._shown,
        )

    def _task_now(self, task_id: str) -> TaskEvent:
        return self._tasks.now(task_id)

    async def stop(self) -> None:
        """Stop the workers and close the store; unfinished tasks are taken up by the next engine."""
        self._retention.cancel()
        with suppress(asyncio.CancelledError):
            await self._retention
        if "agents" in self.__dict__:
            await self.agents.close()
        self.sessions.close()
        await self._webhooks.close()
        self._tasks.hand_on()
        self._ledger.close()
        await self.pool.stop()
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def run(self, body: Mapping[str, Any], *, idempotency: Idempotency | None = None) -> RunOutcome:
        """Accept a task, as `POST /apps/run` does; it is on disk when this returns."""
        return await self._tasks.run(body, idempotency)

    async def wait(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended."""
        return (await self._tasks.ended(task_id)).task

    async def end_of(self, outcome: RunOutcome) -> TaskEvent:
        """The last event of the task that `run` accepted, once there is one."""
        return await self._tasks.end_of(outcome)

    async def task(self, task_id: str) -> dict[str, Any]:
        """The task as it is now."""
        return self._tasks.now(task_id).task

    async def task_status(self, task_id: str) -> dict[str, Any]:
        """Id, status and time of the last change."""
        return self._tasks.status(task_id)

    async def cancel(
        self, task_id: str, *, grace: float | None = None, force: bool = False
    ) -> dict[str, Any]:
        """Cancel a task; gives it once it has ended, cancelled or whatever it became.

        The app has `grace` seconds to stop by itself (None: `cancel_grace_seconds`); `force` gives it none.
        """
        return (await self._tasks.cancel(task_id, grace=grace, force=force)).task

    async def delete(self, task_id: str) -> None:
        """Forget a task that has ended."""
        await self._tasks.delete(task_id)

    async def list_tasks(self, query: ListQuery) -> Page:
        """A page of tasks, newest first unless the query says otherwise."""
        return await self._tasks.list(query)

    async def logs(self, task_id: str) -> dict[str, Any]:
        """Status changes and log texts of a task."""
        return await self._tasks.logs(task_id)

    async def timings(self, task_id: str) -> dict[str, Any]:
        """How long a task was in each status."""
        return self._tasks.timings(task_id)

    def subscribe(self, task_id: str, *, after: int | None = None) -> AsyncIterator[TaskEvent]:
        """Follow a task: its present state at once, or every event numbered higher than `after`.

        Ends after the terminal event, or when the engine stops.
        """
        return self._tasks.follow(task_id, after=after)
