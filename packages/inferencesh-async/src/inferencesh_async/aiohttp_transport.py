"""An asynchronous transport on aiohttp: it carries what goes by a proxy, and what is given to it.

`async_inference(transport=AiohttpTransport(config))`, or a plugin's ``inferencesh_async_transport``, puts it
in place of the built-in one.
"""

from __future__ import annotations

import asyncio
import math
import sys
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import (
    CertificateError,
    ConnectError,
    ReadTimeoutError,
    ResponseTooLongError,
    TransportError,
    UploadError,
)
from inferencesh_core.http.environment import proxy_for
from inferencesh_core.http.messages import Response, origin_of

from .bodies import LARGE_BODY_BYTES, blocks_of
from .connection import READ_AHEAD_BYTES
from .lifetime import InLoop
from .slots import MAX_CONNECTIONS, Slots
from .trust import Trust

if sys.version_info >= (3, 11):
    from asyncio import timeout as time_limit
else:
    from async_timeout import timeout as time_limit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable

    from inferencesh_core.http.messages import Request

    from .slots import Slot

MAX_ENCRYPTED_CONNECTIONS = 32
"""As `MAX_CONNECTIONS`: asyncio has a quarter of a megabyte of buffers for each that is encrypted."""

_FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class AiohttpTransport:
    """Carries requests on an event loop, with one aiohttp session.

    Args:
        config: The client's settings.
        trust: Whom it trusts; read from the settings and the environment when absent.
    """

    def __init__(self, config: ClientConfig | None = None, trust: Trust | None = None) -> None:
        config = config or ClientConfig()
        self._trust = trust or Trust(config.verify)
        self._max_bytes = config.max_response_bytes
        self._pool = InLoop(_Pool)
        self._routes: dict[str, _Route] = {}

    async def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        pool = self._pool.get()
        slot = await pool.slot_for(request)
        try:
            limits = _time_for_all(request)
            response = await self._exchange(pool, request, slot, limits)
            # Reading to the end gives the connection back, and anything else that ends it closes it.
            body = await _whole_body(response, self._max_bytes)
        except _FAILURES as error:
            raise as_transport_error(error, request.shown) from error
        finally:
            slot.release()
        if body is None:
            raise ResponseTooLongError.of(request.shown, self._max_bytes)
        return Response(response.status, _lower_case(response), body)

    async def open(self, request: Request) -> AiohttpStream:
        """Open a response; see `Transport.open`."""
        pool = self._pool.get()
        slot = await pool.slot_for(request)
        try:
            async with time_limit(request.read_timeout):
                limits = _time_limits(None, request.connect_timeout, None)
                response = await self._exchange(pool, request, slot, limits)
        except BaseException as error:
            slot.release()
            if isinstance(error, _FAILURES):
                raise as_transport_error(error, request.shown) from error
            raise
        slot.lasts()
        return AiohttpStream(response, slot, request.shown)

    async def close(self) -> None:
        """Close every connection; the transport is of no further use."""
        await self._pool.close()

    @property
    def is_open(self) -> bool:
        """Whether it was used and not closed since."""
        return self._pool.is_open

    async def _exchange(
        self, pool: _Pool, request: Request, slot: Slot, limits: aiohttp.ClientTimeout
    ) -> _PromptResponse:
        route = self._routes.get(origin_of(request.url)) or await self._new_route(request.url)
        response = cast("_PromptResponse", await _answer(pool.session, request, route, slot, limits))
        pool.responses.add(response)
        return response

    async def _new_route(self, url: str) -> _Route:
        origin = origin_of(url)
        scheme, _, authority = origin.partition("://")
        context = await self._trust.context() if scheme == "https" else None
        return self._routes.setdefault(origin, _Route(proxy_for(scheme, authority), context))


def _answer(
    session: aiohttp.ClientSession,
    request: Request,
    route: _Route,
    slot: Slot,
    limits: aiohttp.ClientTimeout,
) -> Awaitable[aiohttp.ClientResponse]:
    headers: Any = request.headers
    body: Any = request.body
    # aiohttp warns of large ones, which it would send in one piece.
    if body is not None and not (isinstance(body, bytes) and len(body) <= LARGE_BODY_BYTES):
        size = len(body) if isinstance(body, bytes) else body.size
        if size is not None:
            headers = {**headers, "Content-Length": str(size)}
        body = blocks_of(body, slot.lasts, encrypted=route.is_encrypted)
    return session.request(
        request.method,
        request.url,
        headers=headers,
        data=body,
        timeout=limits,
        ssl=route.context,
        proxy=route.proxy,
        allow_redirects=False,
    )


class _PromptResponse(aiohttp.ClientResponse):
    """A response whose connection ends at once when it is closed early."""

    def close(self) -> None:
        """Give up what has not come yet."""
        # Left to itself, an encrypted connection first waits half a minute for the server to say goodbye.
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.abort()
        super().close()


class _Connector(aiohttp.TCPConnector):
    """Connects no more once it is closed: aiohttp sends a GET that was cut again, and looks afterwards."""

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        if self.closed:
            raise aiohttp.ClientConnectionError("the client was closed")
        return super().connect(*args, **kwargs)


class _Pool:
    """The session of a loop, and what it is used for."""

    def __init__(self) -> None:
        self.session = aiohttp.ClientSession(
            connector=_Connector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_AHEAD_BYTES,
            response_class=_PromptResponse,
        )
        self.responses: weakref.WeakSet[_PromptResponse] = weakref.WeakSet()
        self._slots = Slots(MAX_CONNECTIONS)
        self._encrypted_slots = Slots(MAX_ENCRYPTED_CONNECTIONS)

    async def slot_for(self, request: Request) -> Slot:
        slots = self._encrypted_slots if request.url.startswith("https:") else self._slots
        return slots.take_at_once() or await slots.take(request.shown, request.read_timeout)

    async def close(self) -> None:
        """Close the session; who reads from it, and would wait on, is told."""
        for response in self.responses:
            response.content.set_exception(aiohttp.ClientConnectionError("the client was closed"))
        await self.session.close()


class _Route:
    """How an origin is reached."""

    def __init__(self, proxy: str | None, context: ssl.SSLContext | None) -> None:
        self.proxy = proxy
        self.context = context or True
        self.is_encrypted = context is not None


class AiohttpStream:
    """A response still arriving."""

    def __init__(self, response: aiohttp.ClientResponse, slot: Slot, where: str) -> None:
        self.status = response.status
        self.headers = _lower_case(response)
        self._response = response
        self._slot = slot
        self._where = where

    async def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        content = self._response.content
        timer = None
        try:
            # Most of what comes fast is there already, and a timer for each piece would cost more than it.
            if chunk := content.read_nowait():
                return chunk
            if timeout is not None:
                timer = asyncio.get_running_loop().call_later(timeout, _end, content)
            return await content.readany()
        except _FAILURES as error:
            raise as_transport_error(error, self._where) from error
        finally:
            if timer is not None:
                timer.cancel()

    async def close(self) -> None:
        """Give the connection back when the response was read to its end, close it otherwise."""
        self._response.close()
        self._slot.release()


async def _whole_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """Give the whole body, ``None`` when it is too long."""
    length = response.content_length
    if length is not None and length <= max_bytes and "Content-Encoding" not in response.headers:
        return await response.read()
    # How long it is shows while it comes: in chunks, unpacked, or until the connection ends.
    blocks, left = [], max_bytes
    try:
        while left >= 0 and (block := await response.content.readany()):
            blocks.append(block)
            left -= len(block)
    except BaseException:
        response.close()
        raise
    if left < 0:
        response.close()
        return None
    return b"".join(blocks)


def _end(content: aiohttp.StreamReader) -> None:
    content.set_exception(asyncio.TimeoutError())


def as_transport_error(error: Exception, where: str) -> TransportError | UploadError:
    """Give what an error of aiohttp or of the socket means to a flow; ``where`` is method and address.

    What the reader of a body said comes wrapped by aiohttp, and is given as it was.
    """
    if isinstance(error.__cause__, UploadError):
        return error.__cause__
    if isinstance(error, aiohttp.ClientSSLError):
        return CertificateError(f"{where}: no secure connection: {error}")
    if reason := _why_not_connected(error):
        return ConnectError(f"{where}: cannot connect: {reason}")
    if isinstance(error, asyncio.TimeoutError):
        return ReadTimeoutError(f"{where}: no answer in time")
    return TransportError(f"{where}: the connection broke: {str(error) or type(error).__name__}")


def _why_not_connected(error: Exception) -> str | None:
    if isinstance(error, aiohttp.ClientHttpProxyError):  # its text has the proxy's address, with the password
        return f"the proxy answered {error.status} {error.message}"
    if isinstance(error, aiohttp.InvalidURL):
        return "it is no address"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "not in time"
    return str(error) if isinstance(error, aiohttp.ClientConnectorError) else None


def _time_for_all(request: Request) -> aiohttp.ClientTimeout:
    if request.body is None or isinstance(request.body, bytes):
        return _time_limits(request.read_timeout, request.connect_timeout, None)
    # The time a file takes to go up is not the time of its answer.
    return _time_limits(request.time_limit, request.connect_timeout, request.read_timeout)


@lru_cache
def _time_limits(total: float | None, sock_connect: float, sock_read: float | None) -> aiohttp.ClientTimeout:
    # aiohttp would have those beyond five seconds end with a whole second of the clock.
    return aiohttp.ClientTimeout(
        total=total, sock_connect=sock_connect, sock_read=sock_read, ceil_threshold=math.inf
    )


def _lower_case(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
