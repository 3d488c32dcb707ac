"""What has to be over by a deadline, however many calls it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from .flow.effects import now

if TYPE_CHECKING:
    from .flow.effects import Flow

TimeLeft: TypeAlias = "Callable[[], Flow[float | None]]"
"""Gives the seconds until a deadline, ``None`` without one; raises once it has passed."""


class Timed(ABC):
    """An operation with a deadline of its own.

    Args:
        timeout: Seconds for all of it, ``None`` for as long as it takes.

    Attributes:
        since: When its time began, as the clock said; ``None`` before that, and where there is no deadline.
    """

    __slots__ = ("_deadline", "_timeout", "since")

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._deadline: float | None = None
        self.since: float | None = None

    @abstractmethod
    def _overdue(self) -> Exception:
        """Give the error of a deadline that passed."""

    def start_clock(self, since: float | None = None) -> Flow[None]:
        """Let the time for all of it begin: now, or at an earlier reading of the clock."""
        if self._timeout is not None:
            self.since = (yield from now()) if since is None else since
            self._deadline = self.since + self._timeout

    def time_left(self) -> Flow[float | None]:
        """Give the seconds until the deadline, ``None`` without one; once it has passed, raise `_overdue`."""
        if self._deadline is None:
            return None
        left = self._deadline - (yield from now())
        if left > 0:
            return left
        raise self._overdue()


def unlimited() -> Flow[None]:
    """Give `TimeLeft` of what has no deadline."""
    yield from ()
