"""A worker started before anybody knows for which app: it imports what every app needs, and waits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..notes import Notes
from . import protocol

_READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Assignment:
    """The app to load; `notes` None: it has to be looked into for them."""

    folder: Path
    notes: Notes | None = None


def assignment(fd: int) -> Assignment | None:
    """What to load, once `load` comes in on `fd`; None when no app needs this process.

    The environment is that of the app then: nothing is left of the one this process was started with.
    """
    from .. import loader  # noqa: F401, PLC0415 - imported now, while there is time
    from . import host  # noqa: F401, PLC0415 - the same

    line = _line(fd)
    if not line:
        return None
    message = protocol.decode(line)
    os.environ.clear()
    os.environ.update(message["environment"])
    notes = message.get("notes")
    return Assignment(Path(message["app"]), Notes.from_json(notes) if notes is not None else None)


def _line(fd: int) -> bytes:
    """The only line there is: the engine says nothing after `load` until it is answered. Empty at the end."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(fd, _READ_BYTES)
        if not data:
            return b""
        line += data
    return line
