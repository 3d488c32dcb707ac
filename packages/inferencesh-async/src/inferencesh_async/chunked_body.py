"""The body of a stream, read past aiohttp, which takes a call or two for each chunk and copies it.

aiohttp parses the head of the response and keeps the connection; of a chunked body it is told the end alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from inferencesh_core.http.chunks import ChunkDecoder, ChunkError

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

READ_BUFFER_BYTES = 256 * 1024
"""How much of a stream may arrive before its reader takes it; then the socket is read no more."""

_LAST_CHUNK = b"0\r\n\r\n"


class ChunkedBody(asyncio.Protocol):
    """Stands between a connection and aiohttp from the request to the end of the response.

    Its reader asks `read_nowait`, and `readany` when that has nothing.

    Args:
        transport: The connection.
        protocol: What aiohttp does with it.
    """

    __slots__ = (
        "_aiohttp",
        "_content",
        "_decoder",
        "_error",
        "_has_head",
        "_is_paused",
        "_is_taken_over",
        "_reader",
        "_received",
        "_transport",
    )

    def __init__(self, transport: asyncio.Transport, protocol: ResponseHandler) -> None:
        self._transport = transport
        self._aiohttp = protocol
        self._decoder = ChunkDecoder()
        self._received = bytearray()
        """The head as far as it has come; later what follows it, until somebody takes it over."""
        self._has_head = False
        self._is_taken_over = False
        self._content = b""
        self._is_paused = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[bytes] | None = None
        self._transport.set_protocol(self)

    def take_over(self) -> None:
        """Decode what has come after the head, and all that comes."""
        self._is_taken_over = True
        self._resume_reading()
        received = bytes(self._received)
        del self._received  # thousands of streams may wait at once
        if received:
            self._decode(received)

    def leave_to_aiohttp(self) -> None:
        """Let aiohttp have the connection back, and what has come."""
        self._resume_reading()
        if self._transport.get_protocol() is self:
            self._transport.set_protocol(self._aiohttp)
        received, self._received = bytes(self._received), bytearray()
        if received:
            self._aiohttp.data_received(received)

    def read_nowait(self) -> bytes:
        """Give what has come, ``b""`` when that is nothing.

        Raises:
            ClientError: the connection broke, after all that came before has been given.
        """
        if self._content:
            content, self._content = self._content, b""
            self._resume_reading()
            return content
        if self._error is not None:
            raise self._error
        return b""

    def readany(self) -> asyncio.Future[bytes]:
        """Wait for what comes next, ``b""`` at the end; see `read_nowait`."""
        # A future and no coroutine: thousands of streams may wait at once.
        self._reader = asyncio.get_running_loop().create_future()
        if self._content or self._error is not None or self._decoder.finished:
            self._answer()
        return self._reader

    def set_exception(self, error: BaseException) -> None:
        """End the reading with an error."""
        self._error = error
        self._answer()

    def data_received(self, data: bytes) -> None:
        """Take what has come; see `asyncio.Protocol`."""
        if self._is_taken_over:
            self._decode(data)
            return
        self._received += data
        self._pass_heads()
        if len(self._received) > READ_BUFFER_BYTES:
            if self._has_head:
                self._pause_reading()
            else:
                self.leave_to_aiohttp()  # no head is that long; what is wrong with it is aiohttp's to say

    def eof_received(self) -> None:
        """Pass it on; see `asyncio.Protocol`."""
        self._aiohttp.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the reading; see `asyncio.Protocol`."""
        if self._error is None and not self._decoder.finished:
            self._error = aiohttp.ClientPayloadError(f"the stream was cut: {exc or 'the server closed it'}")
        self._answer()
        self._aiohttp.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on; see `asyncio.Protocol`."""
        self._aiohttp.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on; see `asyncio.Protocol`."""
        self._aiohttp.resume_writing()

    def _pass_heads(self) -> None:
        """Give aiohttp each head that is complete, up to that of the answer itself."""
        while not self._has_head and (end := _end_of_head(self._received)):
            head = bytes(self._received[:end])
            del self._received[:end]
            self._has_head = not head.startswith(b"HTTP/1.1 1")  # those announce another one
            self._aiohttp.data_received(head)

    def _decode(self, data: bytes) -> None:
        try:
            content = self._decoder.feed(data)
        except ChunkError as error:
            self.set_exception(aiohttp.ClientPayloadError(str(error)))
            self._transport.abort()
            return
        if content:
            # Put together only where the reader is behind, and then there is a limit.
            self._content = self._content + content if self._content else content
        if self._decoder.finished:
            self._finish()
        elif len(self._content) > READ_BUFFER_BYTES:
            self._pause_reading()
        if content or self._decoder.finished:
            self._answer()

    def _finish(self) -> None:
        self._resume_reading()
        self._transport.set_protocol(self._aiohttp)
        self._aiohttp.data_received(_LAST_CHUNK)

    def _answer(self) -> None:
        """Give whoever waits for it what there is."""
        if self._reader is None or self._reader.done():
            return
        try:
            self._reader.set_result(self.read_nowait())
        except BaseException as error:  # noqa: BLE001 - it is the reader's
            self._reader.set_exception(error)

    def _pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()


def _end_of_head(received: bytearray) -> int:
    """Give where the first head ends, after an empty line however it is written; 0 when it has not ended."""
    ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := received.find(mark)) >= 0]
    return min(ends, default=0)
