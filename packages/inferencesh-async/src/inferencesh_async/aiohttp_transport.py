"""The built-in asynchronous transport: one aiohttp session per client, made in the loop that first uses it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
from inferencesh_core.errors import (
    CertificateError,
    ConfigurationError,
    ConnectError,
    ReadTimeoutError,
    TransportError,
)
from inferencesh_core.http.environment import proxy_for, tls_context
from inferencesh_core.http.messages import Response, origin_of

from .slots import Slots

if sys.version_info >= (3, 11):
    from asyncio import timeout as time_limit
else:
    # aiohttp brings it on this Python.
    from async_timeout import timeout as time_limit

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.messages import Request
    from inferencesh_core.sources import UploadSource

SEND_BLOCK_BYTES = 1024 * 1024
READ_BUFFER_BYTES = 256 * 1024

MAX_CONNECTIONS = 100
"""A soft limit, see `Slots`."""

_SET_BY_US = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class AiohttpTransport:
    """Carries requests on an event loop."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._slots = Slots(MAX_CONNECTIONS)
        self._routes: dict[str, _Route] = {}

    async def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        await self._slots.acquire()
        try:
            async with await self._exchange(request, whole=True) as response:
                return Response(response.status, _lower_case(response), await response.read())
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise as_transport_error(error, request) from error
        finally:
            self._slots.release()

    async def open(self, request: Request) -> AiohttpStream:
        """Open a response; see `Transport.open`."""
        await self._slots.acquire()
        try:
            async with time_limit(request.read_timeout):
                response = await self._exchange(request, whole=False)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, (aiohttp.ClientError, OSError, asyncio.TimeoutError)):
                raise as_transport_error(error, request) from error
            raise
        return AiohttpStream(response, request, self._slots)

    async def close(self) -> None:
        """Close every pooled connection; the transport is of no further use."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def is_open(self) -> bool:
        """Whether there are connections that nobody has closed."""
        return self._session is not None and not self._session.closed

    async def _exchange(self, request: Request, *, whole: bool) -> aiohttp.ClientResponse:
        session = self._current_session()
        route = await self._route(request.url)
        body = request.body
        headers: Any = request.headers
        data: Any = body
        limit = aiohttp.ClientTimeout(total=request.read_timeout, sock_connect=request.connect_timeout)
        if body is not None and not isinstance(body, bytes):
            # The time a file takes to go up is not the time of its answer.
            limit = aiohttp.ClientTimeout(sock_connect=request.connect_timeout, sock_read=request.read_timeout)
            data = _blocks(body)
            if body.size is not None:
                headers = {**headers, "Content-Length": str(body.size)}
        elif not whole:
            limit = aiohttp.ClientTimeout(sock_connect=request.connect_timeout)
        return await session.request(
            request.method,
            request.url,
            headers=headers,
            data=data,
            timeout=limit,
            ssl=route.context,
            proxy=route.proxy,
            allow_redirects=False,
            skip_auto_headers=_SET_BY_US,
            read_bufsize=READ_BUFFER_BYTES,
        )

    def _current_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ConfigurationError("this client is closed; make another one")
        if self._session is not None and self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError(
                    "this client belongs to another event loop, which is still running: make one for each loop"
                )
            # The loop it was made in is over, and its connections with it.
            self._session, self._slots = None, Slots(MAX_CONNECTIONS)
        if self._session is None:
            self._loop = loop
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            )
        return self._session

    async def _route(self, url: str) -> _Route:
        origin = origin_of(url)
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = await asyncio.to_thread(_Route.to, origin, self._config)
        return route


class _Route:
    """How an origin is reached."""

    def __init__(self, proxy: str | None, context: ssl.SSLContext | bool) -> None:
        self.proxy = proxy
        self.context = context

    @classmethod
    def to(cls, origin: str, config: ClientConfig) -> _Route:
        scheme, _, authority = origin.partition("://")
        context = tls_context(config.verify) if scheme == "https" else True
        return cls(proxy_for(scheme, authority), context)


class AiohttpStream:
    """A response still arriving."""

    def __init__(self, response: aiohttp.ClientResponse, request: Request, slots: Slots) -> None:
        self.status = response.status
        self.headers = _lower_case(response)
        self._response = response
        self._request = request
        self._slots: Slots | None = slots

    async def read(self, timeout: float | None) -> bytes:  # noqa: ASYNC109 - the protocol's signature
        """Give the bytes that arrive next; see `ResponseStream.read`."""
        try:
            async with time_limit(timeout):
                return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise as_transport_error(error, self._request) from error

    async def close(self) -> None:
        """Give the connection back when the response was read to its end, close it otherwise."""
        slots, self._slots = self._slots, None
        if slots is not None:
            self._response.close()
            slots.release()


def as_transport_error(error: Exception, request: Request) -> TransportError:
    """Give what an error of aiohttp or of the socket means to a flow."""
    where = f"{request.method} {request.url.partition('?')[0]}"
    if isinstance(error, aiohttp.ClientSSLError):
        return CertificateError(f"{where}: no secure connection: {error}")
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)):
        return ConnectError(f"{where}: cannot connect: {error}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectError(f"{where}: cannot connect within {request.connect_timeout:g} s")
    if isinstance(error, asyncio.TimeoutError):
        return ReadTimeoutError(f"{where}: no answer in time")
    return TransportError(f"{where}: the connection broke: {error or type(error).__name__}")


async def _blocks(source: UploadSource) -> AsyncIterator[bytes]:
    """Read a body block by block, away from the loop."""
    file: BinaryIO = await asyncio.to_thread(source.open)
    try:
        while block := await asyncio.to_thread(file.read, SEND_BLOCK_BYTES):
            yield block
    finally:
        file.close()


def _lower_case(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
