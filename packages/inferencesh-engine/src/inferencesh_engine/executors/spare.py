"""A worker process that is started before it is needed, so that the first app finds one that is ready."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inferencesh_app.worker import protocol

from .subprocess import WORKER_PROGRAM, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferencesh_app.worker.protocol import Message

    from . import WorkerExit, WorkerSpec
    from .subprocess import SubprocessWorker

# What the interpreter, the C library or what a spare imports read when they start, and never again.
_READ_AT_START = (
    *("PYTHON", "PYDANTIC_", "INFERENCESH_JSON", "HOME"),
    *("LD_", "DYLD_", "MALLOC_", "GLIBC_", "LANG", "LC_", "TZ", "OPENSSL_"),
)


class Spare:
    """At most one process, which has imported everything but an app.

    There is one from the start, for the first app; and once a second app was started, one for the next.

    Args:
        environment: The variables it starts with. They remain visible in `/proc`, so no secrets.
        pause_seconds: How long an app that has just been started has the machine for itself.
    """

    def __init__(self, environment: Mapping[str, str], *, pause_seconds: float = 2.0) -> None:
        self._environment = dict(environment)
        self._pause_seconds = pause_seconds
        self._folders: set[Path] = set()
        self._process: _Process | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the process; when the machine cannot, the first worker will say so."""
        process = _Process()
        with suppress(OSError):
            process.worker = await spawn(
                WORKER_PROGRAM, process, folder=Path("/"), environment=self._environment
            )
            self._process = process

    async def close(self) -> None:
        """End the process."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
        if self._process is not None:
            self._process.worker.kill()
            await self._process.gone.wait()

    def claim(self, spec: WorkerSpec) -> SubprocessWorker | None:
        """The process, loading the app of `spec`; None when there is none that could be that worker."""
        process = self._process
        if process is None or process.gone.is_set() or not self._suits(spec):
            claimed = None
        else:
            claimed, self._process = process.worker, None
            notes = spec.notes.to_json() if spec.notes is not None else None
            claimed.send(protocol.load(str(spec.folder), spec.environment, notes))
        self._renew_after(spec)
        return claimed

    def _suits(self, spec: WorkerSpec) -> bool:
        generic = not spec.program and spec.interpreter is None
        return generic and _read_at_start(spec.environment) == _read_at_start(self._environment)

    def _renew_after(self, spec: WorkerSpec) -> None:
        """Where a second app has come, a third may."""
        self._folders.add(spec.folder)
        if len(self._folders) > 1 and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        await asyncio.sleep(self._pause_seconds)
        if self._process is None or self._process.gone.is_set():
            await self.open()


class _Process:
    """Hears a worker that has no app yet. Only its end is of interest."""

    worker: SubprocessWorker

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def on_message(self, message: Message) -> None:
        """It has nothing to say."""

    def on_text(self, text: str) -> None:
        """Whatever it prints, a worker with an app would print again."""

    def on_exit(self, exit: WorkerExit) -> None:  # noqa: A002, ARG002  # the listener's signature
        """It cannot be claimed any more."""
        self.gone.set()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}
