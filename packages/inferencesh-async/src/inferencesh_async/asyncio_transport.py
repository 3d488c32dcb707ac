"""The built-in asynchronous transport: HTTP on asyncio's own connections, kept for each origin.

aiohttp does the same and much more, and carries what goes by a proxy. Loading it takes longer than all else
that a program does which makes a few calls, and of what a call costs it is the larger part.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from inferencesh_core.errors import ConfigurationError, ConnectError
from inferencesh_core.http.environment import proxy_for
from inferencesh_core.http.messages import origin_of

from .connection import RECEIVE_BUFFER_BYTES
from .direct import DEFAULT_PORTS, Buffers, Direct, Origin
from .lifetime import InLoop
from .slots import MAX_CONNECTIONS, Slots
from .trust import Trust

if TYPE_CHECKING:
    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.messages import Request, Response
    from inferencesh_core.http.transport import AsyncResponseStream

    from .aiohttp_transport import AiohttpTransport

    Way: TypeAlias = "Direct | AiohttpTransport"


class AsyncioTransport:
    """Each origin is reached in its own way; the environment is read when it is first met.

    Args:
        config: The client's settings.
        trust: Whom it trusts; read from the settings and the environment when absent.
    """

    def __init__(self, config: ClientConfig, trust: Trust | None = None) -> None:
        trust = trust or Trust(config.verify)
        self._ways = InLoop(lambda: _Ways(config, trust))

    async def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        return await self._ways.get().of(request).send(request)

    async def open(self, request: Request) -> AsyncResponseStream:
        """Open a response; see `Transport.open`."""
        return await self._ways.get().of(request).open(request)

    async def close(self) -> None:
        """Close every connection; the transport is of no further use."""
        await self._ways.close()

    @property
    def is_open(self) -> bool:
        """Whether it was used and not closed since."""
        return self._ways.is_open


class _Ways:
    """How each origin is reached from a loop."""

    def __init__(self, config: ClientConfig, trust: Trust) -> None:
        self._config = config
        self._trust = trust
        self._known: dict[str, Way] = {}
        self._by_proxy: AiohttpTransport | None = None
        self._buffers = Buffers(_buffer(), _buffer())
        self._slots = Slots(MAX_CONNECTIONS)

    def of(self, request: Request) -> Way:
        origin = origin_of(request.url)
        way = self._known.get(origin)
        if way is None:
            way = self._known[origin] = self._new(origin, request)
        return way

    async def close(self) -> None:
        self._slots.close()
        await asyncio.gather(*(way.close() for way in {*self._known.values()}))

    def _new(self, written: str, request: Request) -> Way:
        origin = _parsed(written, request)
        if proxy_for(origin.scheme, written.partition("://")[2]):
            self._by_proxy = self._by_proxy or _aiohttp_transport(self._config, self._trust, request)
            return self._by_proxy
        return Direct(origin, self._config, self._trust, self._slots, self._buffers)


def _parsed(origin: str, request: Request) -> Origin:
    try:
        parts = urlsplit(origin)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise ConnectError(f"{request.shown}: cannot connect: {error}") from error
    if scheme not in DEFAULT_PORTS or not host:
        raise ConnectError(f"{request.shown}: cannot connect: it is no http or https address")
    try:
        name = host if ":" in host else host.encode("idna").decode()
    except UnicodeError as error:
        raise ConnectError(f"{request.shown}: cannot connect: {host!r} is no name of a host") from error
    return Origin(scheme, name, DEFAULT_PORTS[scheme] if port is None else port)


def _buffer() -> memoryview:
    return memoryview(bytearray(RECEIVE_BUFFER_BYTES))


def _aiohttp_transport(config: ClientConfig, trust: Trust, request: Request) -> AiohttpTransport:
    try:
        from .aiohttp_transport import AiohttpTransport  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ConfigurationError(
            f"{request.shown} goes by a proxy, which the asynchronous client reaches with aiohttp: "
            "pip install aiohttp"
        ) from None
    return AiohttpTransport(config, trust)
