"""A connection to an origin: one request after another, each with its response."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from inferencesh_core.http.messages import SEND_SECONDS
from inferencesh_core.http.sockets import is_ready, widen

from .bodies import parts_of
from .response_parser import ResponseError, ResponseParser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .bodies import Blocks

RECEIVE_BUFFER_BYTES = 768 * 1024

READ_AHEAD_BYTES = RECEIVE_BUFFER_BYTES
"""How much of a response may arrive before its reader takes it; then the socket is read no more."""


class TimeIsUpError(Exception):
    """What somebody waited for did not come in time."""


class Connection(asyncio.BufferedProtocol):
    """Sends requests and takes in their responses.

    Whoever uses it asks for its state, and waits for `change` where that is not yet what it needs.

    Args:
        buffer: Where what comes is received, a view of a `bytearray`. Connections of one loop share it: what
            is in it is taken before anything else can be received.
        ended: Called with the connection once it has ended.
    """

    __slots__ = (
        "_arrived",
        "_arrived_bytes",
        "_block",
        "_buffer",
        "_ended",
        "_error",
        "_is_lost",
        "_is_paused",
        "_is_sending",
        "_is_sending_paused",
        "_loop",
        "_parser",
        "_transport",
        "_waiter",
    )

    _transport: asyncio.Transport
    _loop: asyncio.AbstractEventLoop

    def __init__(self, buffer: memoryview, ended: Callable[[Connection], None]) -> None:
        self._buffer = buffer
        self._block: bytearray = buffer.obj  # type: ignore[assignment]  # which can be searched
        self._ended = ended
        self._parser: ResponseParser | None = None
        self._arrived: list[bytes] = []
        self._arrived_bytes = 0
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_lost = False
        self._is_paused = False
        self._is_sending = False
        self._is_sending_paused = False

    # --- what its user does ---

    def begin(self, method: str, head: bytes) -> ResponseParser:
        """Send the head of a request, and what of its body is with it; give what its response will be."""
        self._parser = parser = ResponseParser(method)
        self._transport.write(head)
        return parser

    async def send_body(self, blocks: Blocks, *, in_chunks: bool, encrypted: bool) -> bool:
        """Send a body; give whether all of it was sent: an answer that comes sooner ends it.

        Raises:
            UploadError: The body cannot be read.
            TimeIsUpError: A part of it did not leave in time.
            OSError: The connection broke.
        """
        self._is_sending = True
        try:
            reading = blocks.next()
            while block := await self._come(reading):
                reading = blocks.next()  # while this one leaves
                for part in parts_of(block, encrypted=encrypted):
                    if in_chunks:
                        self._transport.write(b"%x\r\n" % len(part))
                    self._transport.write(part)
                    if in_chunks:
                        self._transport.write(b"\r\n")
                    if self._is_held_up():
                        await self._drained()
                    if self._has_answer():
                        return False
            if block is None:
                return False
        finally:
            blocks.close()
        if in_chunks:
            self._transport.write(b"0\r\n\r\n")
        self._is_sending = False
        return True

    async def _come(self, reading: asyncio.Future[bytes]) -> bytes | None:
        """Give a block of a body that is being read; ``None`` when the answer came first."""
        while not reading.done():
            if self._has_answer():
                return None
            either: set[asyncio.Future[Any]] = {reading, self.change()}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return reading.result()

    def expect_much(self, connections: int) -> None:
        """Have the response come as fast as it can, on one of so many connections."""
        widen(self._transport.get_extra_info("socket"), connections)

    def take_nowait(self) -> bytes:
        """Give what has arrived of the body, ``b""`` when that is nothing; what went wrong comes after that.

        Raises:
            ResponseError: What came is no response.
            OSError: The connection broke.
        """
        if self._arrived_bytes:
            arrived = self._arrived
            content = arrived[0] if len(arrived) == 1 else b"".join(arrived)
            arrived.clear()
            self._arrived_bytes = 0
            if self._is_paused:
                self._is_paused = False
                self._transport.resume_reading()
            return content
        self.check()
        return b""

    def check(self) -> None:
        """Say what ended it, if anything did.

        Raises:
            ResponseError: What came is no response.
            OSError: The connection broke.
        """
        if self._error is not None:
            raise self._error

    def change(self) -> asyncio.Future[None]:
        """Wait until something else arrives, or the connection ends."""
        # A future and no coroutine: thousands of streams may wait at once.
        self._waiter = asyncio.get_running_loop().create_future()
        if self._error is not None:
            self._wake()
        return self._waiter

    def fail(self, error: BaseException) -> None:
        """End it; who waits for it is told this."""
        if self._error is None:
            self._error = error
        self._transport.abort()
        self._wake()

    def abort(self) -> None:
        """End it."""
        self._transport.abort()

    def drop(self, after: Callable[[], None]) -> None:
        """End it from whatever thread, and call something in its loop then."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.abort)
            self._loop.call_soon_threadsafe(after)

    def rest(self) -> None:
        """Wait for the next request."""
        self._parser, self._is_sending = None, False

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a change, and none has come."""
        return self._waiter is not None

    @property
    def is_usable(self) -> bool:
        """Whether it has not ended."""
        return not self._is_lost and self._error is None and not self._transport.is_closing()

    @property
    def is_spent(self) -> bool:
        """Whether the exchange is over without a rest, and another one may follow."""
        return (
            self._parser is not None
            and self._parser.leaves_connection_open
            and not self._arrived_bytes
            and not self._transport.get_write_buffer_size()
            and self.is_usable
        )

    def was_left(self) -> bool:
        """Whether something has come that the loop has not seen, which can only be the server's farewell."""
        wire: socket.socket = self._transport.get_extra_info("socket")
        return is_ready(wire, 0)

    # --- what the loop tells it ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = transport  # type: ignore[assignment]  # it is one that reads and writes
        self._loop = asyncio.get_running_loop()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop passes it
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        parser = self._parser
        if parser is None:
            self.fail(ConnectionAbortedError("the server spoke without being asked"))
            return
        try:
            content = parser.feed(self._block, nbytes)
        except ResponseError as error:
            self.fail(error)
            return
        if content:
            self._arrived.append(content)
            self._arrived_bytes += len(content)
            if self._arrived_bytes > READ_AHEAD_BYTES and not self._is_paused and not parser.is_finished:
                self._is_paused = True
                self._transport.pause_reading()
        if parser.status:
            self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_lost = True
        if self._error is None:
            self._error = self._verdict(exc)
        self._wake()
        self._ended(self)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_sending_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_sending_paused = False
        self._wake()

    def _verdict(self, exc: BaseException | None) -> BaseException | None:
        """Give what it means to the response at hand that the connection ended."""
        parser = self._parser
        if parser is None:
            return exc or ConnectionAbortedError("the server closed it")
        # Who answers before all was sent, and closes, resets what is on its way.
        if exc is not None and not parser.is_finished and not (self._is_sending and parser.status):
            return exc
        try:
            parser.end()
        except ResponseError as error:
            return exc or error
        return None

    async def _drained(self) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(SEND_SECONDS, self.fail, TimeIsUpError())
        try:
            while self._is_held_up() and not self._has_answer():
                await self.change()
        finally:
            timer.cancel()

    def _is_held_up(self) -> bool:
        """Whether nothing can be sent for now, or any more."""
        return self._is_sending_paused or self._transport.is_closing()

    def _has_answer(self) -> bool:
        self.check()
        return self._parser is not None and bool(self._parser.status)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
