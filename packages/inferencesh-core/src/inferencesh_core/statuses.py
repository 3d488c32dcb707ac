"""Task and message statuses: the task life cycle as numbers, and the questions asked about it."""

from __future__ import annotations

from enum import IntEnum


class TaskStatus(IntEnum):
    """Where a task stands, as the wire numbers it; names in any case are accepted as values too.

    >>> TaskStatus(7) is TaskStatus("running")
    True
    """

    UNKNOWN = 0
    RECEIVED = 1
    QUEUED = 2
    DISPATCHED = 3
    PREPARING = 4
    SERVING = 5
    SETTING_UP = 6
    RUNNING = 7
    CANCELLING = 8
    UPLOADING = 9
    COMPLETED = 10
    FAILED = 11
    CANCELLED = 12

    @classmethod
    def _missing_(cls, value: object) -> TaskStatus | None:
        return _BY_NAME.get(value.lower()) if isinstance(value, str) else None


_BY_NAME = {status.name.lower(): status for status in TaskStatus}

TERMINAL_STATUSES = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})

_TERMINAL = TERMINAL_STATUSES | {status.name.lower() for status in TERMINAL_STATUSES}

# A message waits in "queued" behind a running turn, then becomes "pending" while it is written.
_UNREADY_MESSAGE_STATUSES = frozenset({"queued", "pending"})


def parse_status(status: int | str | None) -> TaskStatus | None:
    """The status a number or name stands for; UNKNOWN for any other value, None only for None."""
    if status is None:
        return None
    try:
        return TaskStatus(status)  # type: ignore[arg-type] # `_missing_` takes names
    except ValueError:
        return TaskStatus.UNKNOWN


def is_terminal_status(status: int | str | None) -> bool:
    """Whether a task of this status is over: completed, failed or cancelled."""
    # Asked with every update of a task: the numbers and the usual spelling of the names need no parsing.
    try:
        return status in _TERMINAL or (isinstance(status, str) and status.lower() in _TERMINAL)
    except TypeError:  # a list or an object, which has no hash: no status there is
        return False


def is_message_ready(status: str | None) -> bool:
    """Whether a chat message is finished: ready, failed, cancelled, or a status newer than this SDK."""
    return bool(status) and status not in _UNREADY_MESSAGE_STATUSES
