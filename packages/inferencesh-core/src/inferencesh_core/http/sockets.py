"""Waiting for a socket, and how much may come ahead of its reader."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import sys

WIDEST_BYTES = 8 * 1024 * 1024
ALL_BYTES = 64 * 1024 * 1024
"""Together: what was sent ahead waits in the memory of the system where its reader is slow."""

_LONGEST_POLL_MS = 2**31 - 1


def is_ready(connected: socket.socket, seconds: float | None, *, writing: bool = False) -> bool:
    """Wait until something can be read, or written; tell whether it can. ``None`` waits for ever."""
    if not hasattr(select, "poll"):  # it knows sockets of any number
        readers, writers = ([], [connected]) if writing else ([connected], [])
        return any(select.select(readers, writers, [], seconds))
    poll = select.poll()
    poll.register(connected, select.POLLOUT if writing else select.POLLIN)
    return bool(poll.poll(None if seconds is None else math.ceil(min(seconds * 1000, _LONGEST_POLL_MS))))


def widen(connected: socket.socket, connections: int) -> None:
    """Let a server that has much to tell send megabytes ahead, at once.

    Linux begins with 64 KB and finds out by and by that the reader keeps up. Until then each block waits for
    the one before it to be taken, and on one machine it is the reader's processor that sends it. To ask to be
    woken only once so much is there makes room for it, as far as the system allows. Unlike a buffer of that
    size, it leaves the finding out alone (SO_RCVLOWAT in socket(7)). Elsewhere this does nothing.

    Args:
        connected: The connection.
        connections: How many there are, this one among them.
    """
    if sys.platform != "linux":
        return
    window = min(WIDEST_BYTES, ALL_BYTES // max(1, connections))
    with contextlib.suppress(OSError):  # it is no connection over TCP, or one that has ended
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, window)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
