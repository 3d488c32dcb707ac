"""How much a server may send ahead of its reader."""

from __future__ import annotations

import contextlib
import socket
import sys

WINDOW_BYTES = 2 * 1024 * 1024


def widen(connected: socket.socket) -> None:
    """Let a server that has much to tell send megabytes ahead, at once.

    Linux begins with 64 KB and finds out by and by that the reader keeps up. Until then each block waits for
    the one before it to be taken, and on one machine it is the reader's processor that sends it. Asking to be
    woken only once so much is there makes room for it, and does not put an end to finding out, as to ask for
    a buffer of that size would (SO_RCVLOWAT in socket(7)). Elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # it is no connection over TCP, or one that has ended
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, WINDOW_BYTES)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
