"""Connection pools with deadlines, on urllib3: what both built-in synchronous transports stand on.

urllib3's read time-out starts anew with every packet, so a server that trickles holds a caller for ever.
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

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import (
    TimeoutError as Urllib3TimeoutError,
)

from ..errors import CertificateError, ConnectError, ReadTimeoutError, ResponseTooLongError, TransportError
from .chunks import ChunkDecoder, ChunkError
from .messages import Response
from .quiet_log import QuietPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .messages import Request

SEND_BLOCK_BYTES = 256 * 1024
READ_BLOCK_BYTES = 64 * 1024
"""Larger blocks come from the kernel anew each time, and clearing their pages takes longer than reading."""

LARGEST_READ_BLOCK_BYTES = 256 * 1024
"""For a stream that fills its blocks: what each block costs in calls is more than its pages."""

_LARGEST_RECORD_BYTES = 16 * 1024

SEND_SECONDS = 60.0
"""How long one block of a body may take to leave."""


class _DeadlineIO(socket.SocketIO):
    """The reading side of a socket, bound to the deadline of its connection."""

    def __init__(self, sock: Any, connection: _WithDeadline) -> None:
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

    def __init__(self, sock: Any, connection: _WithDeadline) -> None:
        self._sock = sock
        self._connection = connection

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        kind = _RecordsIO if isinstance(self._sock, ssl.SSLSocket) else _DeadlineIO
        raw = kind(self._sock, self._connection)
        # As socket.makefile does: the descriptor stays open until the file is closed as well.
        self._sock._io_refs += 1  # noqa: SLF001
        return io.BufferedReader(raw, READ_BLOCK_BYTES)

    def sendall(self, data: Any, *flags: int) -> None:
        if self._connection.sent_by is not None:
            self._sock.settimeout(self._connection.time_to_send())
        self._sock.sendall(data, *flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Response(http.client.HTTPResponse):
    """A response whose chunks are decoded by the block: the standard library takes a call or two for each.

    Only for `read1`, by which streams are read; nothing else may read from a response after that.
    """

    def begin(self) -> None:
        super().begin()
        self._decoder = ChunkDecoder()
        self._block_bytes = READ_BLOCK_BYTES

    def read1(self, n: int = -1) -> bytes:
        if self.isclosed() or not self.chunked:
            return super().read1(min(n, READ_BLOCK_BYTES))
        while block := self.fp.read1(self._block_bytes):
            if len(block) == self._block_bytes:
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


class _WithDeadline:
    """A connection that knows until when the response may take."""

    sock: Any
    timeout: float | None
    deadline: float | None = None
    sent_by: float | None = None
    connecting_took: float = 0.0
    wire: Any = None
    process: int = 0
    is_cut: bool = False

    def expect_within(self, seconds: float | None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        if self.deadline is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the time for the response is over")
        return remaining

    def time_to_send(self) -> float:
        left = (self.sent_by or 0.0) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the request is over")
        return min(SEND_SECONDS, left)

    def cut(self) -> None:
        """End whatever is read and written by it now, from whatever thread; it is of no further use."""
        self.is_cut = True
        self.shut()

    def shut(self) -> None:
        """End what is read and written now; it may connect again."""
        # A forked child has its parent's connections too, and they are not its own to end.
        if self.wire is not None and self.process == os.getpid():
            with contextlib.suppress(OSError):
                # The plain socket's method: that of an encrypted one takes its state from who reads.
                socket.socket.shutdown(self.wire, socket.SHUT_RDWR)

    def connect(self) -> None:
        started = time.monotonic()
        try:
            super().connect()  # type: ignore[misc]
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no secure connection within {self.timeout:g} s") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            # urllib3 takes a cut in the handshake for one of the exchange, but nothing was sent yet.
            raise NewConnectionError(self, f"cut while connecting: {error}") from error  # type: ignore[arg-type]
        self.connecting_took = time.monotonic() - started
        # Kept beside `sock`, which the connection lets go of while a response is still read from it.
        self.wire, self.process = getattr(self.sock, "socket", self.sock), os.getpid()
        if self.is_cut:
            self.close()  # type: ignore[attr-defined]
            raise NewConnectionError(self, "the transport was closed")  # type: ignore[arg-type]
        self.sock = _DeadlineSocket(self.sock, self)
        self.sock.settimeout(SEND_SECONDS)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            # The last read on a reused connection left its own, shorter time-out on the socket.
            self.sock.settimeout(SEND_SECONDS)
        self.sent_by = getattr(kwargs.get("body"), "sent_by", None)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        spent, self.connecting_took = self.connecting_took, 0.0
        self.expect_within(None if self.timeout is None else self.timeout - spent)
        return super().getresponse()  # type: ignore[misc]


class _PlainConnection(_WithDeadline, HTTPConnection):
    response_class = _Response


class _TLSConnection(_WithDeadline, HTTPSConnection):
    response_class = _Response


class _CuttablePool(QuietPool):
    """Mixed into a pool: it knows its connections, also those in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known: WeakSet[_WithDeadline] = WeakSet()
        self._noting = threading.Lock()

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        with self._noting:
            self._known.add(connection)
        return connection

    def cut(self) -> None:
        with self._noting:
            connections = tuple(self._known)
        for connection in connections:
            connection.cut()


class _PlainPool(_CuttablePool, urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(_CuttablePool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def use_deadlines(manager: urllib3.PoolManager) -> None:
    """Make the pools of ``manager`` obey deadlines."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}


def close_pools(manager: urllib3.PoolManager) -> None:
    """Close the pools of ``manager`` and their connections, those in use included."""
    for key in manager.pools.keys():  # noqa: SIM118 - it is no mapping one iterates over
        pool: Any = manager.pools.get(key)
        if isinstance(pool, _CuttablePool):
            pool.cut()
    manager.clear()


class PooledStream:
    """A response still arriving on a pooled connection."""

    def __init__(self, response: Any, request: Request) -> None:
        self.status: int = response.status
        self.headers = lower_case(response.headers)
        self._response = response
        self._connection: _WithDeadline | None = response.connection
        self._request = request

    def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        if self._connection is not None:
            self._connection.expect_within(timeout)
        try:
            # What a block holds beyond this would wait in urllib3, and be lost should the connection break.
            return self._response.read1(LARGEST_READ_BLOCK_BYTES)  # type: ignore[no-any-return]
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # The last two are what reading from a stream that another thread closed comes to.
            raise as_transport_error(error, self._request) from error

    def close(self) -> None:
        """Give the connection back when the response was read to its end, close it otherwise."""
        if self._response.connection is None or self._connection is None:
            return
        # Both ways: a thread that reads may hand the connection back before it is closed below, and the
        # server should know all the same. The pool finds out that it was shut, and connects anew.
        self._connection.shut()
        self._response.close()


def whole_response(raw: Any, request: Request, max_bytes: int) -> Response:
    """Read a response of urllib3 to its end and give its connection back.

    Raises:
        ResponseTooLongError: it is longer than ``max_bytes``.
        TransportError: it broke off, or took too long.
    """
    headers = lower_case(raw.headers)
    try:
        body = _body_of(raw, headers, max_bytes)
    except (HTTPError, OSError) as error:
        raw.close()
        raise as_transport_error(error, request) from error
    if body is None:
        raw.close()
        raise ResponseTooLongError.of(_line_of(request), max_bytes)
    raw.release_conn()
    return Response(raw.status, headers, body)


def _body_of(raw: Any, headers: dict[str, str], max_bytes: int) -> bytes | None:
    """Give the whole body, ``None`` when it is too long."""
    if raw.length_remaining is not None and "content-encoding" not in headers:
        return raw.read() if raw.length_remaining <= max_bytes else None
    # How long it is shows while it comes: in chunks, unpacked, or until the connection ends.
    blocks, left = [], max_bytes
    while left >= 0 and (block := raw.read(READ_BLOCK_BYTES)):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks) if left >= 0 else None


def lower_case(headers: Any) -> dict[str, str]:
    """Give headers as a plain mapping with names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def as_transport_error(error: Exception, request: Request) -> TransportError:
    """Give what an error of urllib3 or of the socket means to a flow."""
    where = _line_of(request)
    if isinstance(error, SSLError):
        return CertificateError(f"{where}: no secure connection: {error}")
    if isinstance(error, (NewConnectionError, ConnectTimeoutError, ProxyError, LocationValueError)):
        return ConnectError(f"{where}: cannot connect: {_cause(error)}")
    if isinstance(error, (Urllib3TimeoutError, TimeoutError)) or isinstance(_innermost(error), TimeoutError):
        return ReadTimeoutError(f"{where}: no answer in time")
    return TransportError(f"{where}: the connection broke: {_cause(error)}")


def _line_of(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"


def _cause(error: BaseException) -> str:
    reason = _innermost(error)
    return str(reason) or type(reason).__name__


def _innermost(error: BaseException) -> BaseException:
    """Give the first reason: urllib3 wraps what the socket said several times."""
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
    """Give a request's body as urllib3 takes it, the headers it asks for, and what closes it."""
    body = request.body
    if body is None or (isinstance(body, bytes) and not _takes_time(body, request)):
        return body, {}, _nothing
    file, size = (io.BytesIO(body), len(body)) if isinstance(body, bytes) else (body.reader(), body.size)
    outgoing = _Outgoing(file, request.time_limit)
    return outgoing, {} if size is None else {"Content-Length": str(size)}, outgoing.close


def _takes_time(body: bytes, request: Request) -> bool:
    """Tell whether a body can take longer to leave than there is time."""
    return request.time_limit is not None and len(body) > SEND_BLOCK_BYTES


def _nothing() -> None:
    pass
