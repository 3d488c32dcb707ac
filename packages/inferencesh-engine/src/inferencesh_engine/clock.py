"""The wall clock, as precise as what the API shows of it."""

from __future__ import annotations

import time


def now() -> float:
    """Unix seconds, to the microsecond: a time read back from its text is the same time."""
    return time.time_ns() // 1000 / 1_000_000
