"""Connections with deadlines, on the standard library: what the built-in synchronous transports stand on.

Read time-outs of sockets start anew with every packet, so a server that trickles holds a caller for ever.
Here each connection carries a deadline that every read on its socket obeys, the header included.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..errors import ReadTimeoutError, TransportError
from .chunks import ChunkDecoder, ChunkError
from .messages import SEND_SECONDS
from .sockets import widen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .messages import Request

SEND_BLOCK_BYTES = 256 * 1024
READ_BLOCK_BYTES = 64 * 1024
"""Larger blocks come from the kernel anew each time, and clearing their pages takes longer than reading."""

LARGEST_READ_BLOCK_BYTES = 256 * 1024
"""For a stream that fills its blocks: what each block costs in calls is more than its pages."""

_LARGEST_RECORD_BYTES = 16 * 1024


class _DeadlineIO(socket.SocketIO):
    """The reading side of a socket, bound to the deadline of its connection."""

    def __init__(self, sock: Any, connection: WithDeadline) -> None:
        super().__init__(sock, "r")
        self._settimeout = sock.settimeout
        self._recv_into = sock.recv_into
        self._connection = connection

    def readinto(self, buffer: Any) -> int | None:
        self._settimeout(self._connection.remaining())
        return super().readinto(buffer)


class _RecordsIO(_DeadlineIO):
    """The same of a TLS socket, which gives a record at a time: takes along those that are there already."""

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer) or 0
        if count != _LARGEST_RECORD_BYTES:
            return count
        self._settimeout(0)
        with (
            memoryview(buffer) as view,
            contextlib.suppress(OSError),
        ):  # an error comes again at the next read
            while count < len(view) and (more := self._recv_into(view[count:])):
                count += more
        return count


class _DeadlineSocket:
    """A connected socket which obeys the deadlines of its connection, reading and writing."""

    def __init__(self, sock: Any, connection: WithDeadline) -> None:
        self._sock = sock
        self._connection = connection

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        kind = _RecordsIO if isinstance(self._sock, ssl.SSLSocket) else _DeadlineIO
        raw = kind(self._sock, self._connection)
        # As socket.makefile does: the descriptor stays open until the file is closed as well.
        self._connection.wire._io_refs += 1  # noqa: SLF001
        return io.BufferedReader(raw, READ_BLOCK_BYTES)

    def sendall(self, data: Any, *flags: int) -> None:
        if self._connection.sent_by is not None:
            self._sock.settimeout(self._connection.time_to_send())
        self._sock.sendall(data, *flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class BlockwiseResponse(http.client.HTTPResponse):
    """A response whose chunks are decoded by the block: the standard library takes a call or two for each.

    Only for `read1`, by which streams are read; nothing else may read from a response after that.
    """

    def begin(self) -> None:
        """Read the header."""
        super().begin()
        self._decoder = ChunkDecoder()
        self._is_received_directly = False
        self._block_bytes = READ_BLOCK_BYTES

    def read1(self, n: int = -1) -> bytes:
        """Give what is there, and wait only for the first of it; ``b""`` at the end."""
        if self.isclosed() or not self.chunked:
            return super().read1(min(n, READ_BLOCK_BYTES))
        while block := self.fp.read1(min(n, self._block_bytes) if n >= 0 else self._block_bytes):
            if len(block) >= READ_BLOCK_BYTES // 2:
                self._block_bytes = LARGEST_READ_BLOCK_BYTES
            try:
                content = self._decoder.feed(block)
            except ChunkError as error:
                raise http.client.IncompleteRead(b"") from error
            if self._decoder.finished:
                self.close()
            if content or self._decoder.finished:
                return content
        raise http.client.IncompleteRead(b"")

    def read1_into(self, buffer: bytearray, start: int) -> int:
        """Put what is there into a buffer, from a place on; give how much. Otherwise as `read1`."""
        with memoryview(buffer) as view:
            if self.isclosed() or not self.chunked or not self._is_received_directly:
                # The first of it was received with the header, and waits in the file; then that is empty.
                self._is_received_directly = True
                data = self.read1(READ_BLOCK_BYTES)
                view[start : start + len(data)] = data
                return len(data)
            while count := self.fp.raw.readinto(view[start:]):
                try:
                    end = self._decoder.strip(buffer, start, start + count)
                except ChunkError as error:
                    raise http.client.IncompleteRead(b"") from error
                if self._decoder.finished:
                    self.close()
                if end > start or self._decoder.finished:
                    return end - start
        raise http.client.IncompleteRead(b"")


class WithDeadline:
    """A connection that knows until when the response may take, and that another thread can end.

    Attributes:
        wire: Its plain socket, also where the connection lets go of ``sock`` before the response was read.
    """

    response_class: Any = BlockwiseResponse
    sock: Any
    timeout: float | None
    deadline: float | None = None
    sent_by: float | None = None
    connecting_took: float = 0.0
    wire: Any = None
    _process: int = 0
    _is_cut: bool = False

    def expect_within(self, seconds: float | None) -> None:
        """Limit the time of the reads from now on; ``None`` lifts the limit."""
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def expect_much(self, connections: int) -> None:
        """Have the next response come as fast as it can, on one of so many connections."""
        widen(self.wire, connections)

    def remaining(self) -> float | None:
        """Give the seconds that are left, ``None`` without a limit.

        Raises:
            TimeoutError: There are none.
        """
        if self.deadline is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the time for the response is over")
        return remaining

    def time_to_send(self) -> float:
        """Give the seconds that what is sent now may take.

        Raises:
            TimeoutError: There are none.
        """
        left = (self.sent_by or 0.0) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the request is over")
        return min(SEND_SECONDS, left)

    def cut(self) -> None:
        """End whatever is read and written by it now, from whatever thread; it does not connect again."""
        self._is_cut = True
        self.shut()

    def shut(self) -> None:
        """End what is read and written now."""
        # A forked child has its parent's connections too, and they are not its own to end.
        if self.wire is not None and self._process == os.getpid():
            with contextlib.suppress(OSError):
                # The plain socket's method: that of an encrypted one takes its state from who reads.
                socket.socket.shutdown(self.wire, socket.SHUT_RDWR)

    def connect(self) -> None:
        """Connect, within ``timeout`` seconds for each step."""
        started = time.monotonic()
        super().connect()  # type: ignore[misc]
        self.connecting_took = time.monotonic() - started
        self.wire, self._process = getattr(self.sock, "socket", self.sock), os.getpid()
        if self._is_cut:
            self.sock.close()
            raise ConnectionAbortedError("the transport was closed")
        self.sock = _DeadlineSocket(self.sock, self)
        self.sock.settimeout(SEND_SECONDS)

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        self.sent_by = getattr(body, "sent_by", None)
        if self.sock is not None:
            # The last read on a reused connection left its own, shorter time-out on the socket.
            self.sock.settimeout(SEND_SECONDS)
        super().request(method, url, body, *args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Give the response, whose time of ``timeout`` seconds began when connecting did."""
        spent, self.connecting_took = self.connecting_took, 0.0
        self.expect_within(None if self.timeout is None else self.timeout - spent)
        return super().getresponse()  # type: ignore[misc]


class Connections:
    """Those of a pool, also the ones in use; threads may share it."""

    def __init__(self) -> None:
        self._known: WeakSet[WithDeadline] = WeakSet()
        self._noting = threading.Lock()
        self._are_cut = False

    def add(self, connection: Any) -> None:
        """Take a new one in."""
        with self._noting:
            self._known.add(connection)
            are_cut = self._are_cut
        if are_cut:
            connection.cut()

    def __len__(self) -> int:
        return len(self._known)

    def cut(self) -> None:
        """End whatever is read and written by any, and by those that are still to come."""
        with self._noting:
            self._are_cut = True
            connections = tuple(self._known)
        for connection in connections:
            connection.cut()


def joined(blocks: Iterable[bytes], max_bytes: int) -> bytes | None:
    """Give the blocks of a body as one; ``None`` where there are more than so many bytes."""
    taken, left = [], max_bytes
    for block in blocks:
        taken.append(block)
        left -= len(block)
        if left < 0:
            return None
    return b"".join(taken)


def broken(error: BaseException, request: Request) -> TransportError:
    """Give what it means to a flow that an exchange broke off."""
    if isinstance(error, TimeoutError) or isinstance(_innermost(error), TimeoutError):
        return ReadTimeoutError(f"{request.shown}: no answer in time")
    return TransportError(f"{request.shown}: the connection broke: {cause_of(error)}")


def cause_of(error: BaseException) -> str:
    """Give the innermost reason."""
    reason = _innermost(error)
    return str(reason) or type(reason).__name__


def _innermost(error: BaseException) -> BaseException:
    """Give the first error: what the socket said is often wrapped several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


class _Outgoing:
    """A body on its way, and by when it has to have left."""

    def __init__(self, file: Any, seconds: float | None) -> None:
        self.read = file.read
        self.close = file.close
        self.sent_by = None if seconds is None else time.monotonic() + seconds


def opened_body(request: Request) -> tuple[Any, dict[str, str], Callable[[], None]]:
    """Give a request's body as HTTP libraries take it, the headers it asks for, and what closes it."""
    body = request.body
    if body is None or (isinstance(body, bytes) and len(body) <= SEND_BLOCK_BYTES):
        return body, {}, _nothing
    file, size = (io.BytesIO(body), len(body)) if isinstance(body, bytes) else (body.reader(), body.size)
    outgoing = _Outgoing(file, request.time_limit)
    return outgoing, {} if size is None else {"Content-Length": str(size)}, outgoing.close


def _nothing() -> None:
    pass
