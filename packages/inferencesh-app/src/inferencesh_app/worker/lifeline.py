"""No worker outlives its engine: neither one that is busy, nor one that hangs."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

from .protocol import EXIT_ENGINE_GONE

UNLOAD_SECONDS = 1.0

_PR_SET_PDEATHSIG = 1


def die_with_engine(fd: int) -> None:
    """End this process soon after the other end of the pipe `fd` closes, whatever the app is doing.

    The app has `UNLOAD_SECONDS` to unload, unless the engine was killed: then Linux kills the worker at once.
    It does so when the *thread* that started the worker ends, so start workers from one that lives as long.
    """
    _kill_with_parent()
    threading.Thread(target=_watch, args=(fd,), name="lifeline", daemon=True).start()


def _kill_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only Linux has the call

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _watch(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)  # no events asked for: only the hang-up is reported
    poll.poll()
    time.sleep(UNLOAD_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # processes the app started go too
    os._exit(EXIT_ENGINE_GONE)
