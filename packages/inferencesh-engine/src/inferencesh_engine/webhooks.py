"""Telling a task's end to the address its caller named: signed, tried again, over restarts too."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import secrets
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING

from .clock import now
from .domain.problems import Problem
from .private_files import keep_private
from .reports import TASK_LOG
from .store import tasks as task_rows
from .store import webhooks as rows
from .store.webhooks import Due

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .config import EngineConfig
    from .domain.views import TaskEvent
    from .ledger import LiveTask
    from .store import Store

SECRET_FILE = "webhook_secret"  # noqa: S105  # a file's name
AT_ONCE = 16

_SECRET_BYTES = 32
_GROWTH = 6.0
_log = logging.getLogger("inferencesh.engine")


@dataclass(frozen=True)
class _Outcome:
    """What came of one try: in words, and whether there is any use in another."""

    text: str
    over: bool


class Webhooks:
    """The webhooks of one engine's tasks.

    Args:
        config: Tries, time-outs, address rules, and the state folder that holds the secret.
        store: Remembers what is still to be told.
        task: Gives the newest state of a task; raises Problem 404 for one that was deleted.
        base_url: Says where the engine itself listens.
    """

    def __init__(
        self,
        config: EngineConfig,
        store: Store,
        task: Callable[[str], TaskEvent],
        base_url: Callable[[], str | None],
    ) -> None:
        self._config = config
        self._store = store
        self._task = task
        self._base_url = base_url
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._telling: set[asyncio.Task[None]] = set()

    def follow(self, live: LiveTask) -> None:
        """Tell the task's end when it comes, if somebody asked for that."""
        if live.spec.webhook is not None:
            live.ended.add_done_callback(partial(self._ended, Due(live.id)))

    def resume(self) -> None:
        """Take up what an earlier engine did not get told."""
        for due in self._store.webhooks_due():
            self._begin(due)

    async def close(self) -> None:
        """Stop; the next engine takes it up."""
        telling = list(self._telling)
        for each in telling:
            each.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    def _ended(self, due: Due, ended: asyncio.Future[TaskEvent]) -> None:
        if not ended.cancelled():
            self._begin(due)

    def _begin(self, due: Due) -> None:
        telling = asyncio.create_task(self._tell(due))
        self._telling.add(telling)
        telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Task[None]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            _log.error("a webhook was left for the next start of the engine", exc_info=error)

    async def _tell(self, due: Due) -> None:
        over = False
        while not over:
            await asyncio.sleep(max(0.0, due.due_at - now()))
            async with self._turns:
                outcome = await self._try(due.task_id)
            due = replace(due, tries=due.tries + 1, due_at=now() + self._pause(due.tries))
            over = outcome.over or due.tries >= self._config.webhook_tries
            await self._note(due, outcome, over=over)

    def _pause(self, tries: int) -> float:
        return self._config.webhook_retry_seconds * _GROWTH**tries * random.uniform(0.9, 1.1)  # noqa: S311

    async def _try(self, task_id: str) -> _Outcome:
        from inferencesh_core.errors import ConfigurationError, TransportError  # noqa: PLC0415  # as below

        try:
            event = self._task(task_id)
            return await self._post(event, str(event.view.spec.webhook))
        except (TransportError, ConfigurationError) as error:
            return _Outcome(str(error), over=False)
        # Deleted meanwhile, refused by the address rules, or no URL after all.
        except (Problem, ValueError) as error:
            return _Outcome(str(error), over=True)

    async def _post(self, event: TaskEvent, url: str) -> _Outcome:
        from inferencesh_core.pinned import without_query  # noqa: PLC0415  # few tasks have a webhook

        # The same, and a client for TLS reads certificates when it is imported: other tasks need not wait.
        outgoing = await asyncio.to_thread(import_module, ".outgoing", __package__)
        headers = await asyncio.to_thread(self._headers, event)
        policy = self._config.address_policy(self._base_url())
        seconds = self._config.webhook_timeout_seconds
        status = await outgoing.post(url, event.json, headers, policy, timeout_seconds=seconds)
        delivered, unwanted = 200 <= status < 300, status == HTTPStatus.GONE
        return _Outcome(f"{without_query(url)} answered {status}", over=delivered or unwanted)

    def _headers(self, event: TaskEvent) -> dict[str, str]:
        from inferencesh_core.webhooks import sign  # noqa: PLC0415  # few tasks have a webhook

        # The id is that of the message, not of the try: receivers know repetitions by it.
        signed = sign(self._secrets(), f"msg_{event.view.spec.id}", now(), event.json)
        return {"Content-Type": "application/json", "User-Agent": "inferencesh-engine", **signed}

    def _secrets(self) -> list[str]:
        """Those in the file, one a line: while a receiver changes to a new one, both sign."""
        fresh = f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}\n"
        return keep_private(self._config.state_path / SECRET_FILE, fresh.encode()).decode().split()

    async def _note(self, due: Due, outcome: _Outcome, *, over: bool) -> None:
        """Keep what the next start must know, and tell the task's log."""
        later = f"; try {due.tries + 1} follows in {due.due_at - now():.0f} s"
        text = f"webhook: {outcome.text}{'' if over else later}\n"
        await self._store.writer.write(partial(_noted, due=due, text=text, over=over), refusable=False)


def _noted(db: sqlite3.Connection, *, due: Due, text: str, over: bool) -> None:
    task_rows.append_log(db, due.task_id, now(), TASK_LOG, text)
    if over:
        rows.drop(db, due.task_id)
    else:
        rows.put_off(db, due)
