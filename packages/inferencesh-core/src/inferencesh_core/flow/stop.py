"""The request to end, which the synchronous driver looks at around each effect."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class Stop:
    """Tells flows on any thread to end.

    Attributes:
        reason: Makes the exception that ends a flow; ``None`` as long as flows may go on.
    """

    def __init__(self) -> None:
        self.reason: Callable[[], BaseException] | None = None
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._below: WeakSet[Stop] = WeakSet()

    def ask(self, reason: Callable[[], BaseException]) -> None:
        """End what looks here or further below; the first reason counts."""
        with self._lock:
            self.reason = self.reason or reason
            below = tuple(self._below)
        self._asked.set()
        for stop in below:
            stop.ask(self.reason)

    def below(self) -> Stop:
        """Give one that can be asked by itself, and hears what is asked here."""
        stop = Stop()
        with self._lock:
            self._below.add(stop)
            stop.reason = self.reason
        if stop.reason is not None:
            stop.ask(stop.reason)
        return stop

    def check(self) -> None:
        """Raise the reason, if there is one."""
        if self.reason is not None:
            raise self.reason()

    def wait(self, seconds: float) -> None:
        """Let time pass until something is asked."""
        self._asked.wait(seconds)
