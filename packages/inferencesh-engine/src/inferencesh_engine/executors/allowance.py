"""How much of something is taken in a second, so that one worker's flood does not starve the others."""

from __future__ import annotations


class Allowance:
    """A limit per second of clock time."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second_began = 0.0
        self._spent = 0

    def spend(self, amount: int, now: float) -> float:
        """Count `amount`; the seconds until more should be taken, 0 while the limit is kept."""
        if now - self._second_began >= 1:
            self._second_began, self._spent = now, 0
        self._spent += amount
        return self._second_began + 1 - now if self._spent > self._per_second else 0
