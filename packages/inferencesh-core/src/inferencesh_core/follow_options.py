"""How a task is followed."""

from __future__ import annotations

from typing import NamedTuple


class FollowOptions(NamedTuple):
    """How a task is followed.

    Attributes:
        auto_reconnect: Go on after the connection broke.
        max_reconnects: Failures in a row after which to give up; any answer starts the count anew.
        reconnect_delay_ms: Upper end of the first pause, in milliseconds; it doubles with each failure.
        timeout: Seconds until `TaskTimeoutError`, ``None`` waits as long as it takes.
        cancel_on_exit: Cancel the task on the server when following it ends before the task does.
    """

    auto_reconnect: bool = True
    max_reconnects: int = 5
    reconnect_delay_ms: int = 1000
    timeout: float | None = None
    cancel_on_exit: bool = False
