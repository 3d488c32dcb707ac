"""No worker outlives its engine: neither one that is busy, nor one that hangs."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

from .protocol import EXIT_ENGINE_GONE

UNLOAD_SECONDS = 0.8

_PR_SET_PDEATHSIG = 1


def die_with_engine(fd: int) -> None:
    """End this process soon after the other end of the pipe `fd` closes, whatever the app is doing.

    The app has `UNLOAD_SECONDS` to unload; then the worker and the processes it started are killed. Linux
    sees to it even when the app lets no other Python code run: by a signal that comes when the *thread* that
    started the worker ends. So start workers from one that lives as long as they shall.
    """
    if sys.platform == "linux":
        _alarm_at_death_of_parent()
    threading.Thread(target=_watch, args=(fd,), name="lifeline", daemon=True).start()


def _alarm_at_death_of_parent() -> None:
    """Have SIGALRM end this process one second after its parent's death.

    To be killed at once would be simpler, but would leave the app's own child processes behind: the thread
    that watches the pipe must have its turn first. Should extension code hold the interpreter, only C can
    act, so the signal handler is the C function `alarm`, which takes the number of the signal (SIGHUP is 1)
    for seconds.
    """
    import ctypes  # noqa: PLC0415 - only Linux has the call

    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(signal.SIGHUP, ctypes.cast(libc.alarm, ctypes.c_void_p))
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0)


def _watch(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)  # no events asked for: only the hang-up is reported
    poll.poll()
    time.sleep(UNLOAD_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # processes the app started go too
    os._exit(EXIT_ENGINE_GONE)
