"""The built-in transport: the standard library's HTTP, with connections kept for each origin.

urllib3 does the same and much more, and carries what goes by a proxy. Loading it takes longer than all else
that a program does which makes a few calls.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CertificateError, ConnectError, ResponseTooLongError
from .deadlines import (
    LARGEST_READ_BLOCK_BYTES,
    READ_BLOCK_BYTES,
    SEND_BLOCK_BYTES,
    BlockwiseResponse,
    Connections,
    WithDeadline,
    broken,
    cause_of,
    joined,
    opened_body,
)
from .environment import proxy_for, tls_context
from .messages import Response, origin_of, target_of
from .sockets import is_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ClientConfig
    from .messages import Request
    from .transport import ResponseStream, Transport

T = TypeVar("T")

_BREAKS = (OSError, http.client.HTTPException)

_READ_FAILURES = (*_BREAKS, ValueError, AttributeError)
"""The last two are what it comes to where another thread closed the connection, or a body is badly packed."""


class HttpClientTransport:
    """Each origin is reached in its own way; the environment is read when it is first met."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._ways: dict[str, Transport] = {}
        self._process = os.getpid()
        self._context: ssl.SSLContext | None = None
        self._finding_context = threading.Lock()

    def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        return self._way_of(request).send(request)

    def open(self, request: Request) -> ResponseStream:
        """Open a response; see `Transport.open`."""
        return self._way_of(request).open(request)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        ways, self._ways = self._ways, {}
        for way in ways.values():
            way.close()

    def _way_of(self, request: Request) -> Transport:
        if self._process != os.getpid():
            # After a fork, sockets belong to the parent: two processes on one connection mix their answers.
            self._ways, self._process = {}, os.getpid()
        origin = origin_of(request.url)
        way = self._ways.get(origin)
        if way is None:
            way = self._ways.setdefault(origin, self._new_way(origin, request))
        return way

    def _new_way(self, origin: str, request: Request) -> Transport:
        scheme, _, authority = origin.partition("://")
        host = authority.rpartition("@")[2]
        if scheme not in {"http", "https"} or not host:
            raise ConnectError(f"{request.shown}: cannot connect: it is no http or https address")
        if proxy_for(scheme, authority):
            from .urllib3_transport import Urllib3Transport  # noqa: PLC0415 - see above

            return Urllib3Transport(self._config)
        if scheme == "http":
            return _Direct(partial(_Connection, host, blocksize=SEND_BLOCK_BYTES), self._config)
        return _Direct(
            partial(_TLSConnection, host, context=self._tls_context(), blocksize=SEND_BLOCK_BYTES),
            self._config,
        )

    def _tls_context(self) -> ssl.SSLContext:
        with self._finding_context:  # reading the authorities takes longer than a call
            self._context = self._context or tls_context(self._config.verify)
        return self._context


class _Direct:
    """The connections to an origin; those that are idle wait for its next request."""

    def __init__(self, connection: Callable[[], _Connection], config: ClientConfig) -> None:
        self._new_connection = connection
        self._pool_size = config.pool_size
        self._max_bytes = config.max_response_bytes
        self._connections = Connections()
        self._idle: list[_Connection] = []
        self._is_closed = False
        # A client that nobody closed leaves no sockets open either.
        weakref.finalize(self, _close_all, self._idle)

    def send(self, request: Request) -> Response:
        connection, response = self._exchange(request)
        try:
            body = _body_of(response, self._max_bytes)
        except BaseException as error:
            connection.close()
            if isinstance(error, _READ_FAILURES):
                raise broken(error, request) from error
            raise
        if body is None:
            connection.end(response)
            raise ResponseTooLongError.of(request.shown, self._max_bytes)
        self.take_back(connection)
        return Response(response.status, _lower_case(response), body)

    def open(self, request: Request) -> _DirectStream:
        return _DirectStream(self, *self._exchange(request, is_stream=True), request)

    def close(self) -> None:
        self._is_closed = True
        self._connections.cut()
        _close_all(self._idle)

    def take_back(self, connection: _Connection) -> None:
        """Keep a connection whose response was read to its end, unless the server closes it."""
        if connection.sock is None:
            return
        if len(self._idle) < self._pool_size:
            self._idle.append(connection)
        else:
            connection.close()
        if self._is_closed:  # by another thread, while this one had the connection
            _close_all(self._idle)

    def _exchange(
        self, request: Request, *, is_stream: bool = False
    ) -> tuple[_Connection, BlockwiseResponse]:
        connection = self._idle_connection() or self._created(request)
        try:
            connection.connect_for(request)
            if is_stream:
                connection.expect_much(len(self._connections))
            return connection, connection.exchange(request)
        except BaseException:
            connection.close()
            raise

    def _created(self, request: Request) -> _Connection:
        try:
            connection = self._new_connection()
        except http.client.InvalidURL as error:
            raise ConnectError(f"{request.shown}: cannot connect: {error}") from error
        self._connections.add(connection)
        return connection

    def _idle_connection(self) -> _Connection | None:
        while (connection := _taken_from(self._idle)) is not None:
            if not connection.was_left():
                break
            connection.close()
        return connection


class _Connection(WithDeadline, http.client.HTTPConnection):
    """A connection to an origin, whose errors are those of transports."""

    def connect_for(self, request: Request) -> None:
        """Connect, unless it is connected."""
        if self.sock is not None:
            return
        self.timeout = request.connect_timeout
        try:
            self.connect()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise ConnectError(f"{request.shown}: cannot connect: {error}") from error
        except ssl.SSLError as error:
            raise CertificateError(f"{request.shown}: no secure connection: {error}") from error
        except TimeoutError as error:
            raise ConnectError(f"{request.shown}: cannot connect: not within {self.timeout:g} s") from error
        except (OSError, UnicodeError) as error:  # the latter for what cannot be the name of a host
            raise ConnectError(f"{request.shown}: cannot connect: {cause_of(error)}") from error

    def exchange(self, request: Request) -> BlockwiseResponse:
        """Send a request, and give the response up to the end of its header."""
        self.timeout = request.read_timeout
        body, headers, close_body = opened_body(request)
        try:
            # A server may answer and close before it has heard everything.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.request(request.method, target_of(request.url), body, {**request.headers, **headers})
            return self.getresponse()  # type: ignore[no-any-return]
        except _BREAKS as error:
            raise broken(error, request) from error
        finally:
            close_body()

    def was_left(self) -> bool:
        """Whether anything came since the last response, which can only be the server's farewell."""
        return is_ready(self.wire, 0)

    def end(self, response: http.client.HTTPResponse) -> None:
        """Close it; a read that waits in another thread ends."""
        self.shut()
        response.close()
        self.close()


class _EncryptedConnection(http.client.HTTPConnection):
    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, *, context: ssl.SSLContext, blocksize: int) -> None:
        super().__init__(host, blocksize=blocksize)
        self._context = context

    def connect(self) -> None:
        from .tls_socket import TlsSocket  # noqa: PLC0415 - not needed to reach an engine of one's own

        super().connect()
        self.sock: Any = TlsSocket(self.sock, self._context, self.host)


class _TLSConnection(_Connection, _EncryptedConnection):
    def was_left(self) -> bool:
        """Whether anything came since the last response, or in one packet with its end."""
        return self.sock.holds_more or super().was_left()


class _DirectStream:
    """A response still arriving."""

    def __init__(
        self, way: _Direct, connection: _Connection, response: BlockwiseResponse, request: Request
    ) -> None:
        self._connection: _Connection | None = connection
        self.status = response.status
        self.headers = _lower_case(response)
        self._way = way
        self._response = response
        self._request = request
        encoding = self.headers.get("content-encoding")
        self._is_packed = encoding is not None
        self._unpack = _unpacker(encoding)
        self._rest = memoryview(b"")

    def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        rest, self._rest = self._rest, memoryview(b"")
        return bytes(rest) or self._received(self._unpacked, timeout) or b""

    def read_into(self, buffer: bytearray, start: int, timeout: float | None) -> int:
        """Put the bytes that arrive next into a buffer; see `ResponseStreamIntoBuffers.read_into`."""
        if not self._is_packed:
            return self._received(partial(self._response.read1_into, buffer, start), timeout) or 0
        self._rest = self._rest or memoryview(self.read(timeout))
        count = min(len(self._rest), len(buffer) - start)
        with memoryview(buffer) as view:
            view[start : start + count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _received(self, receive: Callable[[], T], timeout: float | None) -> T | None:
        """Give what is received next, ``None`` at the end."""
        if (connection := self._connection) is None:
            return None
        connection.expect_within(timeout)
        try:
            if received := receive():
                return received
            if self._response.length:
                raise http.client.IncompleteRead(b"", self._response.length)
        except _READ_FAILURES as error:
            raise broken(error, self._request) from error
        self._connection = None
        self._response.close()
        self._way.take_back(connection)
        return None

    def _unpacked(self) -> bytes:
        while block := self._response.read1(LARGEST_READ_BLOCK_BYTES):
            if content := self._unpack(block):
                return content
        return b""

    def close(self) -> None:
        """Close the connection, unless it was given back at the end of the response."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end(self._response)

    def __del__(self) -> None:
        # One that is dropped leaves no socket open either.
        self.close()


def _taken_from(connections: list[_Connection]) -> _Connection | None:
    try:
        return connections.pop()
    except IndexError:
        return None


def _close_all(connections: list[_Connection]) -> None:
    while (connection := _taken_from(connections)) is not None:
        connection.close()


def _body_of(response: http.client.HTTPResponse, max_bytes: int) -> bytes | None:
    """Give the whole body, ``None`` when it is too long."""
    encoding = response.getheader("Content-Encoding")
    if encoding is None and response.length is not None:
        return response.read() if response.length <= max_bytes else None
    # How long it is shows while it comes: in chunks, unpacked, or until the connection ends.
    blocks = iter(partial(response.read, READ_BLOCK_BYTES), b"")
    body = joined(map(_unpacker(encoding), blocks), max_bytes)
    if body is not None and response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return body


def _unpacker(encoding: str | None) -> Callable[[bytes], bytes]:
    if encoding is None:
        return bytes
    from .packed import unpacker  # noqa: PLC0415 - bodies are hardly ever packed

    return unpacker(encoding)


def _lower_case(response: http.client.HTTPResponse) -> dict[str, str]:
    """Give the headers with names in lower case; values of one name are joined."""
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
