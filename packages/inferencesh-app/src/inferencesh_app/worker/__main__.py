"""`python -m inferencesh_app.worker [--app FOLDER] --fd-in N --fd-out M`: one app over inherited pipes.

Without an app it waits to be told which one.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import protocol
from .channel import Channel, Journal
from .lifeline import die_with_engine
from .spare import Assignment, assignment

if TYPE_CHECKING:
    from ..base import BaseApp
    from ..loader import LoadedApp


def main() -> int:
    """Load, serve, unload; gives the exit code."""
    options = _options()
    die_with_engine(options.fd_in)
    for fd in (options.fd_in, options.fd_out):
        os.set_inheritable(fd, False)  # a process the app starts must not keep the pipes open
    channel = Channel(options.fd_out)
    journal = Journal(channel)
    journal.capture()
    assigned = Assignment(options.app) if options.app else assignment(options.fd_in)
    if assigned is None:
        return protocol.EXIT_UNLOADED
    try:
        loaded, app = _load(assigned, channel)
    except BaseException as error:  # noqa: BLE001 - an import may raise anything, sys.exit included
        return _load_failed(error, channel, journal)
    return _serve(loaded, app, channel, journal, options.fd_in)


@dataclass(frozen=True)
class _Options:
    """What stands in the command line.

    Attributes:
        app: The app's folder; without it, `load` says which.
        fd_in: Messages of the engine come there.
        fd_out: Messages to the engine go there.
    """

    app: Path | None
    fd_in: int
    fd_out: int


def _options() -> _Options:
    # By hand: a parser for people is a third of a megabyte in each worker, and engines make no mistakes.
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    del sys.argv[1:]  # they are not the app's
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # nor is the folder this was started in, which `python -m` puts first
    try:
        app = Path(given["--app"]) if "--app" in given else None
        return _Options(app, int(given["--fd-in"]), int(given["--fd-out"]))
    except (KeyError, ValueError):
        sys.exit(__doc__)


def _load(assigned: Assignment, channel: Channel) -> tuple[LoadedApp, BaseApp]:
    from ..loader import load_app  # noqa: PLC0415 - after the prints of what it imports are captured

    loaded = load_app(assigned.folder, assigned.notes)
    app = loaded.app_class()
    channel.send(protocol.loaded(loaded.describe().to_json()))
    return loaded, app


def _load_failed(error: BaseException, channel: Channel, journal: Journal) -> int:
    from inferencesh_core.errors import InferenceError  # noqa: PLC0415 - as light as possible until it fails

    from .failures import app_traceback, error_line  # noqa: PLC0415 - the same

    ours = isinstance(error, InferenceError)
    line = error_line(error, "the import")
    text = line if ours else f"the app cannot be imported: {type(error).__name__}: {line}"
    journal.turn_to(None, protocol.LOG_SETUP)
    channel.send(protocol.load_failed(text, app_traceback(error)))
    return protocol.EXIT_LOAD_FAILED


def _serve(loaded: LoadedApp, app: BaseApp, channel: Channel, journal: Journal, fd: int) -> int:
    import asyncio  # noqa: PLC0415 - an app that cannot be imported does not need it

    from .host import Host  # noqa: PLC0415 - the same

    return asyncio.run(Host(loaded, app, channel, journal).serve(fd))


if __name__ == "__main__":
    sys.exit(main())
