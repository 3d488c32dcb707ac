"""How many exchanges use a connection at once: few where they are short, as many as there are where not."""

from __future__ import annotations

import asyncio
from collections import deque

from inferencesh_core.errors import ConnectError

MAX_CONNECTIONS = 100
"""For exchanges that are short."""

SHORT_SECONDS = 0.1
"""What lasts longer than this is no short exchange."""


class Slots:
    """A limit for what comes free soon.

    A thousand short calls at once share the usual number of connections. Two thousand streams that stay open
    get one each, for what is known to last gives its slot back: waiting for it would not end.

    Args:
        count: Exchanges at once.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[Slot]] = deque()

    def take_at_once(self) -> Slot | None:
        """Give a slot if one is free."""
        if not self._free:
            return None
        self._free -= 1
        return Slot(self)

    async def take(self, request: str, seconds: float) -> Slot:
        """Wait for a slot; who waits longest is served first.

        Raises:
            ConnectError: none came free in time for the request that is so called.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Slot] = loop.create_future()
        timer = loop.call_later(seconds, _give_up, waiter, request)
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self.put_back()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """Tell those who wait that there will be none."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(ConnectError("cannot connect: the client was closed"))

    def put_back(self) -> None:
        """Hand a slot on, or keep it for the next one who comes."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(Slot(self))
                return
        self._free += 1


class Slot:
    """One exchange's right to a connection."""

    __slots__ = ("_slots", "_timer")

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots
        self._timer: asyncio.TimerHandle | None = None

    def lasts(self) -> None:
        """From here on the exchange may take any time: it counts only while it is short."""
        if self._slots is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SHORT_SECONDS, self.release)

    def release(self) -> None:
        """Give the slot back; the second time does nothing."""
        slots, self._slots = self._slots, None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if slots is not None:
            slots.put_back()


def _give_up(waiter: asyncio.Future[Slot], request: str) -> None:
    if not waiter.done():
        waiter.set_exception(ConnectError(f"{request}: other requests kept waiting for their answers"))
