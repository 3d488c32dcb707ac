"""Ways to place worker processes: what the pool asks of one, and the one that is built in.

An executor starts a program that speaks the worker protocol, newline-delimited JSON, and carries messages
both ways. What the messages mean is the pool's business. `inferencesh_engine.testing.executors` has the tests
that every executor passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inferencesh_app.notes import Notes
    from inferencesh_app.worker.protocol import Message


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """What to start.

    Attributes:
        folder: The app's folder, also the working directory.
        environment: All the environment variables there are.
        max_message_bytes: The longest message accepted from the worker.
        program: The command, to which `--app FOLDER --fd-in N --fd-out M` is added; empty means the worker
            of inferencesh-app.
        interpreter: The Python that runs the worker of inferencesh-app; None is the engine's own.
        notes: What the app's manifest says about its functions; a worker that is not told reads it.
    """

    folder: Path
    environment: Mapping[str, str]
    max_message_bytes: int
    program: tuple[str, ...] = ()
    interpreter: str | None = None
    notes: Notes | None = None


@dataclass(frozen=True)
class WorkerExit:
    """How a worker ended.

    Attributes:
        code: The exit code; negative is the signal that killed it; None when it is not known.
        reason: Why the executor ended it; None when it ended by itself, or was told to.
    """

    code: int | None
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return self.reason
        if self.code is None:
            return "lost"
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class WorkerListener(Protocol):
    """Who hears a worker. Plain calls on the event loop."""

    def on_message(self, message: Message) -> None:
        """A message, in the order sent."""

    def on_text(self, text: str) -> None:
        """Something the worker wrote to its standard output or error."""

    def on_exit(self, exit: WorkerExit) -> None:  # noqa: A002  # the name of the thing
        """The worker and everything it started are gone. Comes once and last."""


class WorkerHandle(Protocol):
    """One running worker."""

    @property
    def pid(self) -> int | None:
        """Its process on this machine; None when it is elsewhere."""

    def send(self, message: Message) -> None:
        """Send a message without waiting; one to a worker that is gone is dropped."""

    def pause(self, seconds: float) -> None:
        """Take no messages for a while: a worker that goes on sending has to wait."""

    def kill(self) -> None:
        """End the worker and everything it started, at once."""


class Executor(Protocol):
    """A way to place workers."""

    async def open(self) -> None:
        """Get ready; called once, before all else the engine does when it starts."""

    async def close(self) -> None:
        """Let go of what is kept for workers to come. All that were started have ended."""

    async def start(self, spec: WorkerSpec, listener: WorkerListener) -> WorkerHandle:
        """Start a worker. Raises OSError when that is impossible; the listener then hears nothing.

        The listener hears nothing either before the caller, awaiting this directly, has the handle.
        """
        ...  # pyright takes a body of words alone for one that returns None
