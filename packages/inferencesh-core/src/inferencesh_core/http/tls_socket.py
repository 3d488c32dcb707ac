"""An encrypted socket that takes in large blocks.

That of the standard library asks the kernel twice for each record of 16 KB, which in a stream at full speed
takes longer than decrypting it.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import TYPE_CHECKING

from .sockets import is_ready
from .tls_codec import NOTHING, TlsCodec

if TYPE_CHECKING:
    import socket

_PIECE_BYTES = 128 * 1024

_RECORD_BYTES = 17 * 1024
"""A record of the largest size, and what is sent with it."""


class TlsSocket:
    """As much of a connected socket as HTTP needs. Nothing leaves it unencrypted.

    Attributes:
        socket: The plain socket, which is closed with this one. Its time-out is that of each call as a whole,
            the handshake included; one that received several times leaves what remained of it.

    Args:
        socket: It is connected.
        context: Whom to trust.
        host: Whom the certificate has to name.

    Raises:
        ssl.SSLError: The connection cannot be a secure one.
        OSError: It broke.
        TimeoutError: The handshake took too long.
    """

    def __init__(self, socket: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self.socket = socket
        self.fileno, self.close = socket.fileno, socket.close
        self._timeout = socket.gettimeout()
        self._end: bool | ssl.SSLError = False  # whether nothing follows, or why
        try:
            self._codec = TlsCodec(context, host, _PIECE_BYTES)
            socket.setblocking(False)
            self._shake_hands(self._end_of_time())
        except BaseException:
            socket.close()
            raise

    def settimeout(self, seconds: float | None) -> None:
        """Limit each call from now on; ``None`` lifts the limit."""
        self._timeout = seconds

    def recv_into(self, buffer: memoryview) -> int:
        """Fill a buffer with what is there, and wait only for the first of it; give how far, 0 at the end.

        Raises:
            ssl.SSLError: What came was not encrypted as agreed.
            OSError: The connection broke.
            TimeoutError: Nothing came that was whole.
        """
        ends = self._end_of_time()
        count, rest = 0, NOTHING
        if not self._end:
            count, rest, self._end = self._codec.decrypt(NOTHING, buffer)
        while not count and not self._end:
            self._answer(ends)
            count, rest, self._end = self._codec.decrypt(self._received(len(buffer), ends), buffer)
        self._answer(ends)
        self._codec.receive(rest)
        # One that ends without a farewell just ends: whether that was too soon is for HTTP to say.
        if not count and isinstance(self._end, ssl.SSLError) and not isinstance(self._end, ssl.SSLEOFError):
            raise self._end
        return count

    @property
    def holds_more(self) -> bool:
        """Whether something was received that nobody has taken; that may be the end."""
        return bool(self._end) or self._codec.holds_more

    def sendall(self, data: bytes | memoryview) -> None:
        """Send data.

        Raises:
            OSError: The connection broke.
            TimeoutError: A part of it did not leave.
        """
        ends = self._end_of_time()
        with memoryview(data) as whole, whole.cast("B") as view:
            for start in range(0, len(view), _PIECE_BYTES):
                self._codec.encrypt(view[start : start + _PIECE_BYTES])
                self._send(ends)

    def _shake_hands(self, ends: float | None) -> None:
        try:
            while not self._codec.shake_hands():
                self._send(ends)
                self._codec.receive(self._received(_RECORD_BYTES, ends))
        except ssl.SSLError:
            self._answer(ends)
            raise
        self._send(ends)

    def _received(self, size: int, ends: float | None) -> memoryview:
        while True:
            self._wait(ends, writing=False)
            try:
                received = self.socket.recv(max(size, _RECORD_BYTES))
            except BlockingIOError:  # it was woken for nothing
                continue
            if not received:
                self._codec.receive_end()
            return memoryview(received)

    def _answer(self, ends: float | None) -> None:
        """Send what the protocol has to say by itself, also what is wrong."""
        # One that has left needs no answer, and what it said before counts.
        with contextlib.suppress(ConnectionError):
            self._send(ends)

    def _send(self, ends: float | None) -> None:
        data = memoryview(self._codec.to_send())
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:  # noqa: PERF203 - as a rule, it takes all at once
                self._wait(ends, writing=True)

    def _end_of_time(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _wait(self, ends: float | None, *, writing: bool) -> None:
        seconds = None if ends is None else max(0.0, ends - time.monotonic())
        if not is_ready(self.socket, seconds, writing=writing):
            raise TimeoutError("timed out")

    def _decref_socketios(self) -> None:
        """Take note that a file on it was closed; `socket.SocketIO` calls it."""
        self.socket._decref_socketios()  # type: ignore[attr-defined]  # noqa: SLF001
