"""Who is at work: starts the turns of chats, one after the other in each, and stops them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..clock import now
from ..domain.chat import ChatStatus, MessageStatus
from ..domain.problems import Problem
from .turns import Turn

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .ledger import LiveChat
    from .services import TurnServices

_log = logging.getLogger("inferencesh.engine")


class Driving:
    """The turns of one engine."""

    def __init__(self, services: TurnServices) -> None:
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._turns: set[asyncio.Task[None]] = set()
        self.closing = False

    def start(self, live: LiveChat, stored: asyncio.Future[None] | None = None) -> None:
        """Answer the chat's messages; begins when what it is to answer is `stored`."""
        live.turn = self._loop.create_task(self._drive(live, stored))
        self._turns.add(live.turn)
        live.turn.add_done_callback(self._turns.discard)

    async def stop(self, live: LiveChat) -> None:
        """Stop what the chat does; done when this returns. Messages that wait are cancelled too."""
        if live.turn is None:
            if not live.chat.status.at_rest:
                await Turn(self._services, live).stop()
            return
        if live.stopping is None:
            live.stopping = self._loop.create_future()
            # Later than at once: a task that is cancelled before its first step does not even clean up.
            self._loop.call_soon(live.turn.cancel)
        await asyncio.shield(live.stopping)

    async def close(self) -> None:
        """The engine stops: turns are left as they are, for the next engine."""
        self.closing = True
        turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        if turns:
            await asyncio.wait(turns)

    async def _drive(self, live: LiveChat, stored: asyncio.Future[None] | None) -> None:
        try:
            await self._work(live, _stored(stored))
            while not live.chat.status.at_rest or live.queued():
                await self._work(live, self._answer(live))
        except Exception:  # noqa: BLE001 - told in the log; nobody waits for this task
            _log.exception("chat %s: its turn cannot go on", live.id)
        finally:
            live.turn = None
            _stopped(live)

    async def _work(self, live: LiveChat, work: Coroutine[Any, Any, None]) -> None:
        """Do a part of the work; when it is stopped, so is the turn."""
        try:
            await work
        except asyncio.CancelledError:
            if self.closing:
                raise
            await Turn(self._services, live).stop()
            _stopped(live)

    async def _answer(self, live: LiveChat) -> None:
        if live.chat.status.at_rest:
            await self._begin_queued(live)
        await Turn(self._services, live).run()

    async def _begin_queued(self, live: LiveChat) -> None:
        """The oldest message that waits, and the answer to it, take their places."""
        asked, answer = live.queued()[:2]
        at, order = now(), live.next_order()
        await self._services.ledger.change(
            live,
            live.chat.to(ChatStatus.BUSY, at, output=None, notices=()),
            replace(asked.to(MessageStatus.READY, at), order=order),
            replace(answer.to(MessageStatus.PENDING, at), order=order + 1),
        )


async def _stored(stored: asyncio.Future[None] | None) -> None:
    """Wait for it; what the store refuses is undone, and its caller told."""
    if stored is not None:
        with suppress(Problem):
            await asyncio.shield(stored)


def _stopped(live: LiveChat) -> None:
    if live.stopping is not None:
        live.stopping.set_result(None)
        live.stopping = None
