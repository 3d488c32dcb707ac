"""Workers as child processes of the engine, each in a process group of its own."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import sys
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING, cast

from inferencesh_app.worker.protocol import WorkerProtocolError, decode, encode

from . import WorkerExit
from .allowance import Allowance
from .lines import LineBuffer, LineTooLongError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inferencesh_app.worker.protocol import Message

    from . import WorkerListener, WorkerSpec
    from .spare import Spare

# `-m` would look for the standard library in the working directory first, where an app may have a `types.py`.
_BOOT = "import sys; sys.path[:1] = []; from inferencesh_app.worker.__main__ import main; sys.exit(main())"
WORKER_ARGUMENTS = ("-c", _BOOT)
WORKER_PROGRAM = (sys.executable, *WORKER_ARGUMENTS)

# A program that took the worker's output pipes into a session of its own must not delay the news of its end.
_DRAIN_SECONDS = 0.5
# What a worker may print; beyond that it is made to wait, so that a flood does not starve the engine.
_TEXT_BYTES_PER_SECOND = 8 * 1024 * 1024
# Nothing is said before: this only keeps the words of a dying child short.
_MAX_BYTES_BEFORE_ADOPTION = 64 * 1024


class SubprocessExecutor:
    """Starts workers on this machine.

    Args:
        spare: A process kept ready for apps that any process will do for; None keeps none.
    """

    def __init__(self, spare: Spare | None = None) -> None:
        self._spare = spare

    async def open(self) -> None:
        """Start the spare process."""
        if self._spare is not None:
            await self._spare.open()

    async def close(self) -> None:
        """End the spare process."""
        if self._spare is not None:
            await self._spare.close()

    async def start(self, spec: WorkerSpec, listener: WorkerListener) -> SubprocessWorker:
        """Start one; raises OSError when the machine cannot."""
        worker = self._spare.claim(spec) if self._spare is not None else None
        if worker is None:
            program = spec.program or (spec.interpreter or sys.executable, *WORKER_ARGUMENTS)
            command = (*program, "--app", str(spec.folder))
            worker = await spawn(command, listener, folder=spec.folder, environment=spec.environment)
        worker.adopt(listener, spec.max_message_bytes)
        return worker


async def spawn(
    command: tuple[str, ...], listener: WorkerListener, *, folder: Path, environment: Mapping[str, str]
) -> SubprocessWorker:
    """A new child, which says nothing before it is adopted; raises OSError when the machine cannot start it.

    Args:
        command: The program, to which `--fd-in N --fd-out M` is added.
        listener: Hears what it prints, and of its end.
        folder: Its working directory.
        environment: All the environment variables it has.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as childs_ends, ExitStack() as on_failure:
        fd_in, to_worker = _pipe_to_child(childs_ends, on_failure)
        fd_out, from_worker = _pipe_from_child(childs_ends, on_failure)
        worker = SubprocessWorker(listener)
        outgoing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, to_worker)
        on_failure.callback(outgoing.close)
        incoming, _ = await loop.connect_read_pipe(lambda: _Incoming(worker), from_worker)
        on_failure.callback(incoming.close)
        worker.attach(outgoing, incoming)
        on_failure.callback(worker.disown)
        await loop.subprocess_exec(
            lambda: worker,
            *(*command, "--fd-in", str(fd_in), "--fd-out", str(fd_out)),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(fd_in, fd_out),
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        on_failure.pop_all()
    return worker


def _pipe_to_child(childs_ends: ExitStack, on_failure: ExitStack) -> tuple[int, IO[bytes]]:
    reading, writing = os.pipe()
    childs_ends.callback(os.close, reading)
    return reading, on_failure.enter_context(open(writing, "wb", buffering=0))


def _pipe_from_child(childs_ends: ExitStack, on_failure: ExitStack) -> tuple[int, IO[bytes]]:
    reading, writing = os.pipe()
    childs_ends.callback(os.close, writing)
    return writing, on_failure.enter_context(open(reading, "rb", buffering=0))


class SubprocessWorker(asyncio.SubprocessProtocol):
    """One child process and the four pipes to it: messages in, messages out, output, errors."""

    _process: asyncio.SubprocessTransport
    _outgoing: asyncio.WriteTransport
    _incoming: asyncio.ReadTransport

    def __init__(self, listener: WorkerListener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._disowned = False
        self._lines = LineBuffer(_MAX_BYTES_BEFORE_ADOPTION)
        self._decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in (1, 2)}
        self._text_bytes = Allowance(_TEXT_BYTES_PER_SECOND)
        self._killed_because: str | None = None
        self._open_ends = 2

    @property
    def pid(self) -> int | None:
        """The child's process id, also the id of its process group."""
        return self._process.get_pid()

    def send(self, message: Message) -> None:
        """Send a message: the pipe takes what it can now, and the rest as the worker reads."""
        if not self._outgoing.is_closing():
            self._outgoing.write(encode(message))

    def pause(self, seconds: float) -> None:
        """Leave further messages in the pipe for a while."""
        self._incoming.pause_reading()
        self._loop.call_later(seconds, self._incoming.resume_reading)

    def kill(self) -> None:
        """Kill the process group."""
        if self._process.get_returncode() is None:
            _kill_group(self._process.get_pid())

    def attach(self, outgoing: asyncio.WriteTransport, incoming: asyncio.ReadTransport) -> None:
        """Take over the two message pipes; what comes stays there until somebody adopts the worker."""
        self._outgoing, self._incoming = outgoing, incoming
        incoming.pause_reading()

    def adopt(self, listener: WorkerListener, max_message_bytes: int) -> None:
        """Let the listener hear the worker, as soon as the caller has the handle."""
        self._listener = listener
        self._lines = LineBuffer(max_message_bytes)
        self._loop.call_soon(self._incoming.resume_reading)

    def disown(self) -> None:
        """It did not start: nobody hears of it."""
        self._disowned = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The child runs."""
        self._process = cast("asyncio.SubprocessTransport", transport)

    def message_bytes_received(self, chunk: bytes) -> None:
        """Pass on the messages that are complete; a worker that sends anything else is killed."""
        if self._killed_because is not None:
            return
        try:
            for line in self._lines.feed(chunk):
                self._listener.on_message(decode(line))
        except (LineTooLongError, WorkerProtocolError) as error:
            self._killed_because = f"killed for what it sent: {error}"
            self.kill()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Pass on what the app printed, and make it wait when that is a flood."""
        if text := self._decoders[fd].decode(data):
            self._listener.on_text(text)
        wait_seconds = self._text_bytes.spend(len(data), self._loop.time())
        if wait_seconds > 0:
            pipe = cast("asyncio.ReadTransport", self._process.get_pipe_transport(fd))
            pipe.pause_reading()
            self._loop.call_later(wait_seconds, pipe.resume_reading)

    def process_exited(self) -> None:
        """The child is dead: what it started dies with it, what it said last is still in the pipes."""
        _kill_group(self._process.get_pid())
        self._incoming.resume_reading()
        self._loop.call_later(_DRAIN_SECONDS, self._close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """The child is dead and its output has ended."""
        self.end_lost()

    def end_lost(self) -> None:
        """One of the two ends we wait for, the child's and the message pipe's; one is no use alone."""
        self.kill()
        self._open_ends -= 1
        if self._open_ends == 0 and not self._disowned:
            self._close()
            self._listener.on_exit(WorkerExit(self._process.get_returncode(), self._killed_because))

    def _close(self) -> None:
        self._process.close()
        self._incoming.close()
        if not self._outgoing.is_closing():
            self._outgoing.abort()


class _Incoming(asyncio.Protocol):
    """The pipe on which a worker's messages come."""

    def __init__(self, worker: SubprocessWorker) -> None:
        self._worker = worker

    def data_received(self, data: bytes) -> None:
        self._worker.message_bytes_received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._worker.end_lost()


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
