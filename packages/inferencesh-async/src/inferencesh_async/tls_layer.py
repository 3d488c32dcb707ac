"""TLS between a connection and its socket.

asyncio's own layer keeps a quarter of a megabyte of buffers for each connection, which thousands of streams
cannot have, and copies what comes once more. This one shares its buffer with all connections of the loop.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

from inferencesh_core.http.tls_codec import NOTHING, TlsCodec

if TYPE_CHECKING:
    from .connection import Connection

PIECE_BYTES = 64 * 1024
"""Of thousands of connections, each keeps as much memory as it was ever given at once."""


class Security(NamedTuple):
    """How connections to an origin are encrypted.

    Attributes:
        context: Whom it trusts.
        host: Whom the certificate has to name.
        buffer: Where connections receive, a view; see `Connection`.
    """

    context: ssl.SSLContext
    host: str
    buffer: memoryview


class TlsLayer(asyncio.BufferedProtocol):
    """The protocol of a socket, and what a connection takes for its transport.

    Attributes:
        secured: Done when the connection is secure; its exception says why it is not.

    Args:
        security: How to encrypt.
        connection: Who uses it. What comes is put into its buffer.
    """

    __slots__ = (
        "_buffer",
        "_codec",
        "_connection",
        "_is_paused",
        "_transport",
        "secured",
    )

    _transport: asyncio.Transport

    def __init__(self, security: Security, connection: Connection) -> None:
        self._buffer = security.buffer
        self._connection = connection
        self._codec = TlsCodec(security.context, security.host, PIECE_BYTES)
        self._is_paused = False
        self.secured: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- what the connection asks of its transport ---

    def write(self, data: bytes | memoryview) -> None:
        """Send data."""
        if self._transport.is_closing():
            return
        self._codec.encrypt(data)
        self._send()

    def abort(self) -> None:
        """End it."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Take nothing more from the socket."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on with it, and with what was taken already."""
        self._is_paused = False
        self._transport.resume_reading()
        asyncio.get_running_loop().call_soon(self._receive)

    def get_write_buffer_size(self) -> int:
        """Give how much has not left yet."""
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str) -> Any:
        """Give what is known of the socket."""
        return self._transport.get_extra_info(name)

    # --- what the loop tells it ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = transport  # type: ignore[assignment]  # it is one that reads and writes
        self._connection.connection_made(self)  # type: ignore[arg-type]  # as much of one as it needs
        self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop passes it
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        received = self._buffer[:nbytes]
        if self.secured.done():
            self._receive(received)
            return
        self._codec.receive(received)
        self._shake_hands()
        if self.secured.done():
            self._receive()

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if not self.secured.done():
            self._is_not_secure(exc or ConnectionResetError("the server closed it"))
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.resume_writing()

    def _shake_hands(self) -> None:
        try:
            is_secure = self._codec.shake_hands()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._send()
            self._is_not_secure(error)
            self._transport.abort()
            return
        self._send()
        if is_secure:
            self.secured.set_result(None)

    def _is_not_secure(self, error: BaseException) -> None:
        self.secured.set_exception(error)
        self.secured.exception()  # who waits for it may have left, and asyncio would complain

    def _receive(self, received: memoryview = NOTHING) -> None:
        """Hand on what has come whole."""
        is_full = True
        while is_full and not self._is_paused and not self._transport.is_closing():
            buffer = self._connection.get_buffer(-1)
            count, received, end = self._codec.decrypt(received, buffer)
            is_full = count == len(buffer)
            self._send()
            if count:
                self._connection.buffer_updated(count)
            if isinstance(end, ssl.SSLError):
                self._connection.fail(end)
            elif end:
                self._transport.abort()
        self._codec.receive(received)  # for when it is not paused any more

    def _send(self) -> None:
        if data := self._codec.to_send():
            self._transport.write(data)
