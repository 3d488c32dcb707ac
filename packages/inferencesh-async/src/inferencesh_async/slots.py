"""How many connections are open at once: few while they come free, as many as needed when they do not."""

from __future__ import annotations

import asyncio
from collections import deque

STALLED_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0


class Slots:
    """A soft limit.

    A thousand short calls at once share the usual number of connections, for these come free all the time.
    Two thousand streams that stay open get one each: where nothing comes free, waiting would not end.

    Args:
        limit: Connections used while waiting for one makes sense.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._released = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take a slot, after a wait at the most as long as slots come free."""
        if self._used >= self._limit:
            await self._wait()
        else:
            self._used += 1

    def release(self) -> None:
        """Give a slot back, to the one who waits longest if it is within the limit."""
        self._released = asyncio.get_running_loop().time()
        while self._waiting and self._used <= self._limit:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._used -= 1

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        try:
            while True:
                patience = max(started, self._released) + STALLED_SECONDS - loop.time()
                patience = min(patience, started + LONGEST_WAIT_SECONDS - loop.time())
                if patience <= 0:
                    break
                await asyncio.wait((waiter,), timeout=patience)
                if waiter.done():
                    return
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise
        finally:
            waiter.cancel()
        self._used += 1
