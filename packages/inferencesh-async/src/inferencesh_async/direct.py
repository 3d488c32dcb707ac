"""The connections to an origin; those that are idle wait for its next request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from inferencesh_core.errors import CertificateError, ConnectError, InferenceError

from .connection import Connection
from .exchange import Exchange
from .tls_layer import Security, TlsLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.messages import Request, Response

    from .slots import Slots
    from .trust import Trust

    Connecting: TypeAlias = asyncio.Task[Connection]

SURPLUS_SECONDS = 1.0
"""How long more connections may be idle than are to be kept: a moment later others may want them."""

CLOSING_SECONDS = 1.0
"""How long connections may take to end before they are left behind."""

LEAVING_SECONDS = 1.0
"""How long a name may still be tried when nobody waits for it any more."""

NEXT_ADDRESS_SECONDS = 0.25
"""How long an address of a name may take before the next is tried too, as RFC 8305 recommends."""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where requests go.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Its name or address.
        port: Its port.
    """

    scheme: str
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self.scheme == "https"

    @property
    def is_named(self) -> bool:
        """Whether its addresses have to be looked up."""
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                socket.inet_pton(family, self.host)
                return False
        return True

    @property
    def header(self) -> str:
        """What requests call it: ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class Buffers(NamedTuple):
    """Where the connections of a loop receive.

    Attributes:
        plain: What was written.
        encrypted: What has come of it over the network.
    """

    plain: memoryview
    encrypted: memoryview


class Direct:
    """Reaches an origin with nobody between.

    Args:
        origin: Where it is.
        config: The client's settings.
        trust: Whom the client trusts.
        slots: How many exchanges may use a connection at once.
        buffers: Where its connections receive; see `Connection`.
    """

    def __init__(
        self, origin: Origin, config: ClientConfig, trust: Trust, slots: Slots, buffers: Buffers
    ) -> None:
        self.origin = origin
        self.host_header = origin.header
        self.max_bytes = config.max_response_bytes
        self._pool_size = config.pool_size
        self._trust = trust
        self._slots = slots
        self._buffers = buffers
        self._idle: list[Connection] = []
        self._fewest_idle = 0
        self._connections: set[Connection] = set()
        self._connecting: set[Connecting] = set()
        self._is_closed = False
        self._has_none_left: asyncio.Event | None = None
        self._trimming: asyncio.TimerHandle | None = None

    async def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        began = asyncio.get_running_loop().time()
        slot = self._slots.take_at_once() or await self._slots.take(request.shown, request.read_timeout)
        return await Exchange(self, request, slot, began).response()

    async def open(self, request: Request) -> Exchange:
        """Open a response; see `Transport.open`."""
        began = asyncio.get_running_loop().time()
        slot = self._slots.take_at_once() or await self._slots.take(request.shown, request.read_timeout)
        exchange = Exchange(self, request, slot, began)
        await exchange.open()
        return exchange

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def close(self) -> None:
        """End every connection, and what others wait for."""
        self._is_closed = True
        for connecting in self._connecting:
            connecting.cancel()
        if self._trimming is not None:
            self._trimming.cancel()
        self._has_none_left = asyncio.Event()
        for connection in tuple(self._connections):
            connection.fail(ConnectionAbortedError("the client was closed"))
        pending: set[asyncio.Future[Any]] = {*self._connecting}
        if self._connections:
            pending.add(asyncio.ensure_future(self._has_none_left.wait()))
        if pending:
            _, late = await asyncio.wait(pending, timeout=CLOSING_SECONDS)
            for each in late:
                each.cancel()

    def idle_connection(self) -> Connection | None:
        """Give one that waits, the one that has waited least."""
        while self._idle:
            connection = self._idle.pop()
            self._fewest_idle = min(self._fewest_idle, len(self._idle))
            if connection.is_usable and not connection.was_left():
                return connection
            connection.abort()
        return None

    async def new_connection(self, request: Request, ends: float | None) -> Connection:
        """Connect, by the given time of the loop's clock where there is one.

        Raises:
            ConnectError: There is no connection, or not in time.
            CertificateError: It cannot be a secure one.
            ConfigurationError: The bundle of authorities cannot be read.
        """
        loop = asyncio.get_running_loop()
        seconds = request.connect_timeout
        if ends is not None:
            seconds = max(0.0, min(seconds, ends - loop.time()))
        where = f"{request.shown}: cannot connect"
        if self._is_closed:
            raise ConnectError(f"{where}: the client was closed")
        connecting: Connecting = loop.create_task(self._connect())
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        try:
            await asyncio.wait({connecting}, timeout=seconds)
        except BaseException:
            self._leave(connecting)
            raise
        if not connecting.done():
            self._leave(connecting)
            raise ConnectError(f"{where}: not within {seconds:g} s")
        if connecting.cancelled() or self._is_closed:
            _drop(connecting)
            raise ConnectError(f"{where}: the client was closed")
        if error := connecting.exception():
            raise _not_connected(error, request) from error
        connection = connecting.result()
        if not connection.is_usable:
            raise ConnectError(f"{where}: the server closed it")
        self._connections.add(connection)
        return connection

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(self._buffers.plain, self._ended)
        protocol: Connection | TlsLayer = connection
        host, port = self.origin.host, self.origin.port
        if self.origin.is_encrypted:
            security = Security(await self._trust.context(), host, self._buffers.encrypted)
            protocol = TlsLayer(security, connection)
        connect: Callable[..., Any] = loop.create_connection
        if self.origin.is_named and isinstance(loop, asyncio.BaseEventLoop):  # others do not know of it
            connect = partial(connect, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
        await connect(lambda: protocol, host, port)
        if isinstance(protocol, TlsLayer):
            try:
                await protocol.secured
            except BaseException:
                connection.abort()
                raise
        return connection

    def _leave(self, connecting: Connecting) -> None:
        """End a connection in the making that nobody waits for any more."""
        connecting.add_done_callback(_drop)
        if self.origin.is_named:
            # asyncio loses sockets where it is cancelled while it tries several addresses.
            asyncio.get_running_loop().call_later(LEAVING_SECONDS, connecting.cancel)
        else:
            connecting.cancel()

    def take_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        if self._is_closed:
            connection.abort()
            return
        connection.rest()
        self._idle.append(connection)
        if len(self._idle) > self._pool_size and self._trimming is None:
            self._trim_later()

    def _trim_later(self) -> None:
        self._fewest_idle = len(self._idle)
        self._trimming = asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim)

    def _trim(self) -> None:
        """End those that nobody has needed since, beyond what is to be kept."""
        self._trimming = None
        surplus = max(0, min(self._fewest_idle, len(self._idle)) - self._pool_size)
        for connection in self._idle[:surplus]:
            connection.abort()
        if len(self._idle) - surplus > self._pool_size:
            self._trim_later()

    def _ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._has_none_left is not None and not self._connections:
            self._has_none_left.set()


def _drop(connecting: Connecting) -> None:
    """End a connection that nobody waits for any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().abort()


def _not_connected(error: BaseException, request: Request) -> InferenceError:
    if isinstance(error, InferenceError):
        return error
    broke_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    if isinstance(error, ssl.SSLError) and not isinstance(error, broke_off):
        return CertificateError(f"{request.shown}: no secure connection: {error}")
    return ConnectError(f"{request.shown}: cannot connect: {str(error) or type(error).__name__}")
