"""The built-in asynchronous transport: one aiohttp session, made in the loop that first uses the client."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import sys
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import aiohttp

from inferencesh_core.errors import (
    CertificateError,
    ConfigurationError,
    ConnectError,
    ReadTimeoutError,
    ResponseTooLongError,
    TransportError,
    UploadError,
)
from inferencesh_core.http.environment import proxy_for
from inferencesh_core.http.messages import Response, origin_of

from .bodies import blocks_of
from .chunked_body import READ_BUFFER_BYTES
from .responses import PromptResponse, StreamResponse
from .slots import Slots
from .trust import Trust

if sys.version_info >= (3, 11):
    from asyncio import timeout as time_limit
else:
    from async_timeout import timeout as time_limit

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable

    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.messages import Request

    from .chunked_body import ChunkedBody
    from .slots import Slot

LARGE_BODY_BYTES = 256 * 1024
"""Larger ones are sent piece by piece."""

MAX_CONNECTIONS = 100
"""For exchanges that are short, see `Slots`."""

MAX_ENCRYPTED_CONNECTIONS = 32
"""The same with TLS: asyncio has a quarter of a megabyte of buffers for each."""

_FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class AiohttpTransport:
    """Carries requests on an event loop.

    Args:
        config: The client's settings.
        trust: Whom it trusts; read from the settings and the environment when absent.
    """

    _slots: Slots
    _encrypted_slots: Slots

    def __init__(self, config: ClientConfig, trust: Trust | None = None) -> None:
        self._trust = trust or Trust(config.verify)
        self._max_bytes = config.max_response_bytes
        self._sessions: _Sessions | None = None
        self._keeper: AsyncGenerator[None, None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._routes: dict[str, _Route] = {}
        self._responses: weakref.WeakSet[PromptResponse] = weakref.WeakSet()
        self._streams: set[StreamResponse] = set()

    async def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        session = self._current_sessions().calls
        slots = self._slots_for(request)
        slot = slots.take_at_once() or await slots.take(_where(request), request.read_timeout)
        try:
            route = self._routes.get(origin_of(request.url)) or await self._new_route(request.url)
            response = await _exchange(session, request, route, slot, _time_for_all(request))
            if not response.content.is_eof():
                self._responses.add(cast("PromptResponse", response))
            # Reading to the end gives the connection back, and anything else that ends it closes it.
            body = await _whole_body(response, self._max_bytes)
        except _FAILURES as error:
            raise as_transport_error(error, _where(request)) from error
        finally:
            slot.release()
        if body is None:
            raise ResponseTooLongError.of(_where(request), self._max_bytes)
        return Response(response.status, _lower_case(response), body)

    async def open(self, request: Request) -> AiohttpStream:
        """Open a response; see `Transport.open`."""
        session = self._current_sessions().streams
        slots = self._slots_for(request)
        slot = slots.take_at_once() or await slots.take(_where(request), request.read_timeout)
        try:
            async with time_limit(request.read_timeout):
                route = self._routes.get(origin_of(request.url)) or await self._new_route(request.url)
                limits = _time_limits(None, request.connect_timeout, None)
                response = cast("StreamResponse", await _exchange(session, request, route, slot, limits))
        except BaseException as error:
            slot.release()
            if isinstance(error, _FAILURES):
                raise as_transport_error(error, _where(request)) from error
            raise
        slot.lasts()
        return AiohttpStream(response, slot, self._streams)

    async def close(self) -> None:
        """Close every connection; the transport is of no further use."""
        self._is_closed = True
        for response in (*self._responses, *self._streams):
            response.break_off()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.aclose()

    @property
    def is_open(self) -> bool:
        """Whether it was used and not closed since."""
        return self._keeper is not None

    def _slots_for(self, request: Request) -> Slots:
        return self._encrypted_slots if request.url.startswith("https:") else self._slots

    async def _new_route(self, url: str) -> _Route:
        origin = origin_of(url)
        scheme, _, authority = origin.partition("://")
        context = await self._trust.context() if scheme == "https" else None
        return self._routes.setdefault(origin, _Route(proxy_for(scheme, authority), context))

    def _current_sessions(self) -> _Sessions:
        loop = asyncio.get_running_loop()
        if self._sessions is None or self._loop is not loop or self._is_closed:
            self._sessions = self._new_sessions(loop)
        return self._sessions

    def _new_sessions(self, loop: asyncio.AbstractEventLoop) -> _Sessions:
        if self._is_closed:
            raise ConfigurationError("this client is closed; make another one")
        if self._loop is not None and self._loop is not loop and not self._loop.is_closed():
            raise ConfigurationError(
                "this client is in use by another event loop: make one client for each loop"
            )
        # A loop that is over took its connections with it.
        self._loop = loop
        self._slots, self._encrypted_slots = Slots(MAX_CONNECTIONS), Slots(MAX_ENCRYPTED_CONNECTIONS)
        sessions = _Sessions.open()
        keeper = self._keeper = _keeper_of(sessions)
        # To its first step, which waits for nothing: from there on the loop knows it.
        with contextlib.suppress(StopIteration):
            keeper.__anext__().send(None)
        # What this holds is not yet garbage when the transport is, so aiohttp finds nothing to complain of.
        weakref.finalize(self, _let_go, loop, keeper).atexit = False
        return sessions


def _exchange(
    session: aiohttp.ClientSession,
    request: Request,
    route: _Route,
    slot: Slot,
    limits: aiohttp.ClientTimeout,
) -> Awaitable[aiohttp.ClientResponse]:
    headers: Any = request.headers
    body: Any = request.body
    if isinstance(body, bytes):
        # aiohttp warns of large ones, which it would send in one piece.
        body = body if len(body) <= LARGE_BODY_BYTES else io.BytesIO(body)
    elif body is not None:
        if body.size is not None:
            headers = {**headers, "Content-Length": str(body.size)}
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


class _Connector(aiohttp.TCPConnector):
    """Connects no more once it is closed: aiohttp sends a GET that was cut again, and looks afterwards."""

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        if self.closed:
            raise aiohttp.ClientConnectionError("the client was closed")
        return super().connect(*args, **kwargs)


class _Sessions(NamedTuple):
    """One pool of connections, with two kinds of responses."""

    calls: aiohttp.ClientSession
    streams: aiohttp.ClientSession

    @classmethod
    def open(cls) -> _Sessions:
        pool = _Connector(limit=0)
        return cls(*(_session(pool, kind) for kind in (PromptResponse, StreamResponse)))

    async def close(self) -> None:
        await self.streams.close()
        await self.calls.close()


def _session(pool: aiohttp.TCPConnector, kind: type[aiohttp.ClientResponse]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=pool,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=READ_BUFFER_BYTES,
        response_class=kind,
    )


async def _keeper_of(sessions: _Sessions) -> AsyncGenerator[None, None]:
    """Close the sessions when this is closed; at its end, the loop does so too."""
    try:
        yield
    finally:
        await sessions.close()


def _let_go(loop: asyncio.AbstractEventLoop, keeper: AsyncGenerator[None, None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.create_task, keeper.aclose())


class _Route:
    """How an origin is reached."""

    def __init__(self, proxy: str | None, context: ssl.SSLContext | None) -> None:
        self.proxy = proxy
        self.context = context or True
        self.is_encrypted = context is not None


class AiohttpStream:
    """A response still arriving."""

    __slots__ = ("_open_ones", "_response", "_slot", "status")

    def __init__(self, response: StreamResponse, slot: Slot, open_ones: set[StreamResponse]) -> None:
        self.status = response.status
        self._response = response
        self._slot = slot
        self._open_ones = open_ones
        open_ones.add(response)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response; not kept, for they are of use only at its beginning."""
        return _lower_case(self._response)

    async def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        content = self._response.arriving
        timer = None
        try:
            # Most of what comes fast is there already, and a timer for each piece would cost more than it.
            if chunk := content.read_nowait():
                return chunk
            if timeout is not None:
                timer = asyncio.get_running_loop().call_later(timeout, _end, content)
            return await content.readany()
        except _FAILURES as error:
            where = f"{self._response.method} {self._response.url.with_query(None)}"
            raise as_transport_error(error, where) from error
        finally:
            if timer is not None:
                timer.cancel()

    async def close(self) -> None:
        """Give the connection back when the response was read to its end, close it otherwise."""
        self._open_ones.discard(self._response)
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


def _end(content: ChunkedBody | aiohttp.StreamReader) -> None:
    content.set_exception(asyncio.TimeoutError())


def as_transport_error(error: Exception, where: str) -> TransportError | UploadError:
    """Give what an error of aiohttp or of the socket means to a flow; ``where`` is method and address.

    What the reader of a body said comes wrapped by aiohttp, and is given as it was.
    """
    if isinstance(error.__cause__, UploadError):
        return error.__cause__
    if isinstance(error, aiohttp.ClientSSLError):
        return CertificateError(f"{where}: no secure connection: {error}")
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)):
        return ConnectError(f"{where}: cannot connect: {error}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectError(f"{where}: no connection in time")
    if isinstance(error, asyncio.TimeoutError):
        return ReadTimeoutError(f"{where}: no answer in time")
    return TransportError(f"{where}: the connection broke: {str(error) or type(error).__name__}")


def _where(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"


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
