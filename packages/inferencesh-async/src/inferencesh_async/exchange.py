"""One request and its response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferencesh_core.errors import InferenceError, ReadTimeoutError, ResponseTooLongError, TransportError
from inferencesh_core.http.messages import Response

from .bodies import LARGE_BODY_BYTES, Blocks
from .connection import TimeIsUpError
from .request_head import head_of
from .response_parser import ResponseError

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request

    from .connection import Connection
    from .direct import Direct
    from .response_parser import ResponseParser
    from .slots import Slot

_FAILURES = (OSError, ResponseError, TimeIsUpError)


class Exchange:
    """A request on its way, and its response, whole or as it arrives.

    Attributes:
        status: The status of the response.

    Args:
        way: How the origin is reached.
        request: What is asked.
        slot: The right to a connection, given back at the end.
        began: When its time began, by the clock of the loop.
    """

    __slots__ = ("_began", "_connection", "_is_sent", "_parser", "_request", "_slot", "_timer", "_way")

    _parser: ResponseParser

    def __init__(self, way: Direct, request: Request, slot: Slot, began: float) -> None:
        self._way = way
        self._request = request
        self._slot = slot
        self._began = began
        self._connection: Connection | None = None
        self._timer: asyncio.Handle | None = None
        self._is_sent = False

    @property
    def status(self) -> int:
        """The status of the response."""
        return self._parser.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        return self._parser.headers

    async def response(self) -> Response:
        """Give the whole response; see `Transport.send`."""
        try:
            connection, parser = await self._sent()
            blocks, left = [], self._way.max_bytes
            while left >= 0 and (parser.length or 0) <= self._way.max_bytes:
                if block := connection.take_nowait():
                    blocks.append(block)
                    left -= len(block)
                elif parser.is_finished:
                    body = blocks[0] if len(blocks) == 1 else b"".join(blocks)
                    return Response(parser.status, parser.headers, body)
                else:
                    await connection.change()
            raise ResponseTooLongError.of(self._request.shown, self._way.max_bytes)
        except InferenceError:  # some of which are errors of the system as well
            raise
        except _FAILURES as error:
            raise self._broken(error) from error
        finally:
            self._end()

    async def open(self) -> None:
        """Wait for the head of the response; see `Transport.open`."""
        try:
            connection, parser = await self._sent()
            connection.expect_much(self._way.connections)
            while not parser.status:
                connection.check()
                await connection.change()
            self._stop_timer()
            self._slot.lasts()
        except BaseException as error:
            self._end()
            if isinstance(error, _FAILURES) and not isinstance(error, InferenceError):
                raise self._broken(error) from error
            raise

    async def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        try:
            while connection := self._connection:
                if block := connection.take_nowait():
                    return block
                if self._parser.is_finished:
                    self._end()
                    break
                # Most of what comes fast is there already: a timer for each piece would cost more than it.
                if timeout is not None and self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(timeout, self._give_up)
                await connection.change()
        except _FAILURES as error:
            raise self._broken(error) from error
        finally:
            self._stop_timer()
        return b""

    async def close(self) -> None:
        """Give the connection back when the response was read to its end, end it otherwise."""
        self._end()

    def __del__(self) -> None:
        # One that is dropped leaves nothing open either.
        if self._connection is not None:
            self._connection.drop(self._slot.release)

    async def _sent(self) -> tuple[Connection, ResponseParser]:
        """Send the request; give what its response comes by, and what it will be."""
        way, request = self._way, self._request
        body = request.body
        is_upload = body is not None and not isinstance(body, bytes)
        seconds = request.time_limit if is_upload else request.read_timeout
        ends = None if seconds is None else self._began + seconds
        head, in_chunks = head_of(request, way.host_header)
        connection = way.idle_connection() or await way.new_connection(request, ends)
        self._connection = connection
        if ends is not None:
            self._timer = asyncio.get_running_loop().call_at(ends, self._give_up)
        if body is None or (isinstance(body, bytes) and len(body) <= LARGE_BODY_BYTES):
            self._parser = connection.begin(request.method, head + (body or b""))
            self._is_sent = True
            return connection, self._parser
        self._parser = connection.begin(request.method, head)
        self._slot.lasts()
        self._is_sent = await connection.send_body(
            Blocks(body), in_chunks=in_chunks, encrypted=way.origin.is_encrypted
        )
        if is_upload:
            # The time a file takes to go up is not the time of its answer.
            self._stop_timer()
            now = asyncio.get_running_loop().time()
            left = request.read_timeout if ends is None else min(request.read_timeout, ends - now)
            self._timer = asyncio.get_running_loop().call_later(left, self._give_up)
        return connection, self._parser

    def _give_up(self) -> None:
        """End it because the time is over."""
        if self._connection is None:
            return
        if self._connection.is_awaited:
            self._connection.fail(TimeIsUpError())
        else:  # what came in the very last moment is looked at first
            self._timer = asyncio.get_running_loop().call_soon(self._give_up)

    def _end(self) -> None:
        """Give everything back."""
        self._stop_timer()
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._is_sent and connection.is_spent:
                self._way.take_back(connection)
            else:
                connection.abort()
        self._slot.release()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _broken(self, error: Exception) -> TransportError:
        if isinstance(error, TimeIsUpError):
            return ReadTimeoutError(f"{self._request.shown}: no answer in time")
        reason = str(error) or type(error).__name__
        return TransportError(f"{self._request.shown}: the connection broke: {reason}")
