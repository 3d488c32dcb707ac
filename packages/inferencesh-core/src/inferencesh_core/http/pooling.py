"""Connection pools of urllib3 whose connections have deadlines."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

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

from ..errors import CertificateError, ConnectError, ReadTimeoutError, ResponseTooLongError
from .deadlines import (
    LARGEST_READ_BLOCK_BYTES,
    READ_BLOCK_BYTES,
    Connections,
    WithDeadline,
    broken,
    cause_of,
    joined,
)
from .messages import Response
from .quiet_log import QuietPool

if TYPE_CHECKING:
    from ..errors import TransportError
    from .messages import Request


class _Connection(WithDeadline):
    """Says what went wrong while connecting in the words of urllib3."""

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no secure connection within {self.timeout:g} s") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            # urllib3 takes a cut in the handshake for one of the exchange, but nothing was sent yet.
            raise NewConnectionError(self, f"cut while connecting: {error}") from error  # type: ignore[arg-type]


class _PlainConnection(_Connection, HTTPConnection):
    pass


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _CuttablePool(QuietPool):
    """Mixed into a pool: it knows its connections, also those in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections = Connections()

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        self.connections.add(connection)
        return connection


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
            pool.connections.cut()
    manager.clear()


class PooledStream:
    """A response still arriving on a pooled connection."""

    def __init__(self, response: Any, request: Request) -> None:
        self.status: int = response.status
        self.headers = lower_case(response.headers)
        self._response = response
        self._connection: WithDeadline | None = response.connection
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
        raise ResponseTooLongError.of(request.shown, max_bytes)
    raw.release_conn()
    return Response(raw.status, headers, body)


def _body_of(raw: Any, headers: dict[str, str], max_bytes: int) -> bytes | None:
    """Give the whole body, ``None`` when it is too long."""
    if raw.length_remaining is not None and "content-encoding" not in headers:
        return raw.read() if raw.length_remaining <= max_bytes else None
    # How long it is shows while it comes: in chunks, unpacked, or until the connection ends.
    return joined(iter(partial(raw.read, READ_BLOCK_BYTES), b""), max_bytes)


def lower_case(headers: Any) -> dict[str, str]:
    """Give headers as a plain mapping with names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def as_transport_error(error: Exception, request: Request) -> TransportError:
    """Give what an error of urllib3 or of the socket means to a flow."""
    if isinstance(error, SSLError):
        return CertificateError(f"{request.shown}: no secure connection: {error}")
    if isinstance(error, (NewConnectionError, ConnectTimeoutError, ProxyError, LocationValueError)):
        return ConnectError(f"{request.shown}: cannot connect: {cause_of(error)}")
    if isinstance(error, Urllib3TimeoutError):
        return ReadTimeoutError(f"{request.shown}: no answer in time")
    return broken(error, request)
