"""The worker's way out: messages to the engine, and the app's prints and logs as messages."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, TextIO

from . import protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LOG_CHARS = 32 * 1024


class Channel:
    """Writes messages to the engine's pipe, whole and in order, from any thread; waits while it is full."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting: deque[bytes] = deque()
        self._lock = threading.RLock()
        self._writing = False

    def send(self, message: protocol.Message) -> None:
        """Write one message."""
        self.write(protocol.encode(message))

    def write(self, line: bytes) -> None:
        """Write one encoded message."""
        self._waiting.append(line)
        with self._lock:
            # A finaliser that prints can come here while this very thread writes: its line waits its turn.
            if not self._writing:
                self._writing = True
                try:
                    self._drain()
                except BrokenPipeError:
                    self._waiting.clear()  # the engine is gone, and the lifeline is about to end this process
                finally:
                    self._writing = False

    def _drain(self) -> None:
        while self._waiting:
            rest = memoryview(self._waiting.popleft())
            while rest:
                rest = rest[os.write(self._fd, rest) :]


class Journal:
    """Turns what the app logs and prints into log messages of the call that is running, if any."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._streams: list[LogStream] = []
        self.call: str | None = None
        self.log_type = protocol.LOG_SETUP

    def capture(self) -> None:
        """Take over `sys.stdout`, `sys.stderr` and logging; what goes to the file descriptors is not ours."""
        originals = sys.stdout, sys.stderr
        self._streams = [LogStream(original, self.write) for original in originals]
        sys.stdout, sys.stderr = self._streams
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

        def release() -> None:
            sys.stdout, sys.stderr = originals

        # A forked child (multiprocessing) shares our pipe, but not our lock.
        os.register_at_fork(after_in_child=release)

    def turn_to(self, call: str | None, log_type: int) -> None:
        """From now on lines belong to this call; unfinished ones still to the last."""
        for stream in self._streams:
            stream.flush()
        self.call, self.log_type = call, log_type

    def write(self, text: str) -> None:
        """Send text as log messages of bounded size."""
        text = text.encode("utf-8", "replace").decode()  # lone surrogates are not text to anyone else
        for start in range(0, max(len(text), 1), MAX_LOG_CHARS):
            part = text[start : start + MAX_LOG_CHARS]
            self._channel.send(protocol.log(self.call, self.log_type, part))


class LogStream(io.TextIOBase):
    """A text stream that hands on whole lines, and unfinished ones when it is flushed.

    `buffer` and `fileno` are those of the stream it stands for, so bytes written there bypass it.
    """

    def __init__(self, original: TextIO, send: Callable[[str], None]) -> None:
        self._original = original
        self._send = send
        self._part = ""
        self._lock = threading.RLock()

    encoding = "utf-8"
    errors = "replace"

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The stream of bytes that the original writes to."""
        return self._original.buffer  # type: ignore[return-value]  # typeshed says BinaryIO

    def fileno(self) -> int:
        """The original's file descriptor."""
        return self._original.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str, /) -> int:
        """Take text; whole lines in it are sent. A carriage return ends one too: progress bars use it."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        with self._lock:
            self._part += text
            end = max(self._part.rfind("\n"), self._part.rfind("\r")) + 1
            lines, self._part = self._part[:end], self._part[end:]
            if lines.strip("\r"):
                self._send(lines.removesuffix("\n"))
            if len(self._part) > MAX_LOG_CHARS:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Send an unfinished line, and flush the original."""
        with self._lock:
            part, self._part = self._part, ""
            if part:
                self._send(part)
        self._original.flush()
