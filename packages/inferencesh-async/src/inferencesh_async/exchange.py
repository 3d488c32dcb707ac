"""One request and its response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferencesh_core.errors import InferenceError, ReadTimeoutError, ResponseTooLongError, TransportError
from inferencesh_core.http.messages import Response, target_of

from .bodies import blocks_of
from .response_parser import ResponseError

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request

    from .connection import Connection
    from .direct import Direct
    from .response_parser import ResponseParser
    from .slots import Slot

LARGE_BODY_BYTES = 256 * 1024
"""Larger ones are sent piece by piece; others leave together with their head."""

_HAVE_BODIES = frozenset({"POST", "PUT", "PATCH"})
_FAILURES = (OSError, ResponseError, asyncio.TimeoutError)


class Exchange:
    """A request on its way, and its response, whole or as it arrives.

    Attributes:
        status: The status of the response.

    Args:
        way: How the origin is reached.
        request: What is asked.
        slot: The right to a connection, given back at the end.
    """

    __slots__ = ("_connection", "_is_sent", "_parser", "_request", "_slot", "_timer", "_way")

    _parser: ResponseParser

    def __init__(self, way: Direct, request: Request, slot: Slot) -> None:
        self._way = way
        self._request = request
        self._slot = slot
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
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
                    self._end()
                    body = blocks[0] if len(blocks) == 1 else b"".join(blocks)
                    return Response(parser.status, parser.headers, body)
                else:
                    await connection.change()
            raise ResponseTooLongError.of(self._request.shown, self._way.max_bytes)
        except InferenceError:
            raise
        except _FAILURES as error:
            raise self._broken(error) from error
        finally:
            self._end()

    async def open(self) -> None:
        """Wait for the head of the response; see `Transport.open`."""
        try:
            connection, parser = await self._sent()
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
                    self._timer = asyncio.get_running_loop().call_later(timeout, connection.give_up)
                await connection.change()
        except _FAILURES as error:
            raise self._broken(error) from error
        finally:
            self._stop_timer()
        return b""

    async def close(self) -> None:
        """Give the connection back when the response was read to its end, end it otherwise."""
        self._end()

    async def _sent(self) -> tuple[Connection, ResponseParser]:
        """Send the request; give what its response comes by, and what it will be."""
        way, request = self._way, self._request
        loop = asyncio.get_running_loop()
        now = loop.time()
        body = request.body
        is_upload = not isinstance(body, bytes) and body is not None
        seconds = request.time_limit if is_upload else request.read_timeout
        head = self._head()
        connection = way.idle_connection() or await way.new_connection(request)
        self._connection = connection
        if seconds is not None:
            self._timer = loop.call_at(now + seconds, connection.give_up)
        if body is None or (isinstance(body, bytes) and len(body) <= LARGE_BODY_BYTES):
            self._parser = parser = connection.begin(request.method, head + (body or b""))
            self._is_sent = True
            return connection, parser
        self._parser = parser = connection.begin(request.method, head)
        blocks = blocks_of(body, self._slot.lasts, encrypted=way.origin.is_encrypted)
        in_chunks = not isinstance(body, bytes) and body.size is None
        self._is_sent = await connection.send_body(blocks, in_chunks=in_chunks)
        if is_upload:
            # The time a file takes to go up is not the time of its answer.
            self._stop_timer()
            left = (
                request.read_timeout
                if seconds is None
                else min(request.read_timeout, now + seconds - loop.time())
            )
            self._timer = loop.call_later(left, connection.give_up)
        return connection, parser

    def _head(self) -> bytes:
        request = self._request
        headers = request.headers
        given = {name.lower() for name in headers}
        lines = [f"{request.method} {target_of(request.url)} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {self._way.host_header}")
        if "accept-encoding" not in given:
            lines.append("Accept-Encoding: identity")
        if not given & {"content-length", "transfer-encoding"}:
            lines += _framing(request)
        lines += [f"{name}: {value}" for name, value in headers.items()]
        text = "\r\n".join(lines)
        if text.count("\n") >= len(lines) or text.count("\r") >= len(lines):
            wrong = next(name for name, value in headers.items() if {"\r", "\n"} & {*name, *value})
            raise ValueError(f"the header {wrong!r} has a line end in it")
        return text.encode("latin-1") + b"\r\n\r\n"

    def _end(self) -> None:
        """Give everything back."""
        self._stop_timer()
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._is_sent and self._parser.leaves_connection_open and connection.is_usable:
                self._way.take_back(connection)
            else:
                connection.abort()
        self._slot.release()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _broken(self, error: Exception) -> TransportError:
        if isinstance(error, asyncio.TimeoutError):
            return ReadTimeoutError(f"{self._request.shown}: no answer in time")
        reason = str(error) or type(error).__name__
        return TransportError(f"{self._request.shown}: the connection broke: {reason}")


def _framing(request: Request) -> list[str]:
    """Give the header that says how long the body is."""
    body = request.body
    if body is None:
        return ["Content-Length: 0"] if request.method in _HAVE_BODIES else []
    size = len(body) if isinstance(body, bytes) else body.size
    return ["Transfer-Encoding: chunked"] if size is None else [f"Content-Length: {size}"]
