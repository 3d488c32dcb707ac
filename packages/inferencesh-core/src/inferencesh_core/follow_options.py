"""How a task is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self


class _Options(NamedTuple):
    auto_reconnect: bool
    max_reconnects: int
    reconnect_delay_ms: int
    timeout: float | None
    cancel_on_exit: bool


class FollowOptions(_Options):
    """How a task is followed.

    Attributes:
        auto_reconnect: Go on after the connection broke.
        max_reconnects: Failures in a row after which to give up; any answer starts the count anew.
        reconnect_delay_ms: Upper end of the first pause, in milliseconds; it doubles with each failure.
        timeout: Seconds until `TaskTimeoutError`, ``None`` waits as long as it takes.
        cancel_on_exit: Cancel the task on the server when following it ends before the task does.

    Raises:
        TypeError: a number is none. It is said here, before anything is sent: what is found out later has
            started a task.
    """

    __slots__ = ()

    def __new__(
        cls,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Self:
        """Look at the numbers."""
        _check_number("max_reconnects", max_reconnects, "a number")
        _check_number("reconnect_delay_ms", reconnect_delay_ms, "a number of milliseconds")
        if timeout is not None:
            _check_number("timeout", timeout, "a number of seconds, or None")
        return super().__new__(
            cls, auto_reconnect, max_reconnects, reconnect_delay_ms, timeout, cancel_on_exit
        )


def _check_number(name: str, value: Any, expected: str) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN
        raise TypeError(f"{name} must be {expected}, not {value!r:.80}")
