"""How long an app's workers take to start, and its calls to run, as far as has been seen."""

from __future__ import annotations

# No start is expected to take less, even where some did: an executor may have had a process ready for those.
USUAL_START_SECONDS = 0.5

_START_WEIGHT = 0.5
# Small: one call that was slow, on a busy machine, is no reason to start workers.
_CALL_WEIGHT = 0.05


class Pace:
    """Moving averages of one app.

    Attributes:
        start_seconds: From the start of a worker until it is set up; at least `USUAL_START_SECONDS`.
        call_seconds: From entering the app's code until the worker is free again; 0 while no call has ended.
    """

    def __init__(self) -> None:
        self.start_seconds = USUAL_START_SECONDS
        self.call_seconds = 0.0
        self._calls = 0

    def started(self, seconds: float) -> None:
        """A worker was started and set up in this time."""
        average = self.start_seconds + (seconds - self.start_seconds) * _START_WEIGHT
        self.start_seconds = max(average, USUAL_START_SECONDS)

    def called(self, seconds: float) -> None:
        """A call took this time. The first few count alike, later ones push the oldest out."""
        self._calls += 1
        self.call_seconds += (seconds - self.call_seconds) * max(1 / self._calls, _CALL_WEIGHT)
