"""Waiting for a socket."""

from __future__ import annotations

import math
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


def is_ready(connected: socket.socket, seconds: float | None, *, writing: bool = False) -> bool:
    """Wait until something can be read, or written; tell whether it can. ``None`` waits for ever."""
    if not hasattr(select, "poll"):  # it knows sockets of any number
        readers, writers = ([], [connected]) if writing else ([connected], [])
        return any(select.select(readers, writers, [], seconds))
    poll = select.poll()
    poll.register(connected, select.POLLOUT if writing else select.POLLIN)
    return bool(poll.poll(None if seconds is None else math.ceil(seconds * 1000)))
