"""Named places where a test lets the engine die, to see that nothing is lost there."""

from __future__ import annotations

import os

CRASH_POINTS = (
    "task.validated",  # nothing is on disk yet
    "task.committing",  # inside the transaction that creates the task
    "task.accepted",  # on disk, the caller has no answer yet
    "task.submitted",  # handed to the pool
    "task.progress",  # a progress event is about to be committed
    "task.result",  # the worker's result is here, and nowhere else
    "task.ending",  # inside the transaction that ends the task
    "task.ended",  # on disk, nobody has been told
    "task.cancelling",  # the wish to cancel is on disk
    "recovery.decided",  # an unfinished task's new attempt is about to be committed
    "retention.pruning",  # inside the transaction that drops old rows
)

_CRASH_AT = os.environ.get("INFERENCESH_CRASH_AT")
KILLED_EXIT_CODE = 137  # what a shell reports for `kill -9`

if _CRASH_AT is not None and _CRASH_AT not in CRASH_POINTS:
    raise ValueError(
        f"INFERENCESH_CRASH_AT={_CRASH_AT} names no crash point; there are {', '.join(CRASH_POINTS)}"
    )


def reached(name: str) -> None:
    """Die here, as if killed, when the environment says so."""
    if name == _CRASH_AT:
        os._exit(KILLED_EXIT_CODE)
