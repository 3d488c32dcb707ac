"""HTTP requests of tools, under the address rules: the connection goes to the address that was judged."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from inferencesh_core.addresses import AddressPolicy, AddressRefusedError
from inferencesh_core.pinned import MAX_REDIRECTS, without_query

from ...outgoing import judged_addresses
from .runner import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...config import EngineConfig

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_METHOD_STAYS = frozenset({307, 308})
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True)
class OutboundRequest:
    """A request of a tool.

    Attributes:
        url: Encoded as it is to be sent.
        headers: They go to the URL's own origin only.
        follow: Whether redirects are followed.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    follow: bool = True


def host_of(url: str) -> str:
    """The host a request to the URL goes to; raises ToolError when there is none."""
    try:
        host = URL(url, encoded=True).host
    except ValueError:
        host = None
    if not host:
        raise ToolError(f"{without_query(url)} has no host that a request could go to")
    return host


@dataclass(frozen=True)
class Answer:
    """What came back; `content_type` is without parameters."""

    status: int
    reason: str
    content_type: str
    charset: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; of what is none, its size and type."""
        if b"\0" in self.body or self.content_type.partition("/")[0] in {"image", "audio", "video"}:
            return f"({len(self.body)} bytes of {self.content_type})"
        try:
            return self.body.decode(self.charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


class Outbound:
    """Sends the requests of tools; one pool of connections.

    Args:
        config: Has the limits.
        policy: Which addresses may be reached; None takes what the configuration says.
    """

    def __init__(self, config: EngineConfig, policy: AddressPolicy | None = None) -> None:
        self._config = config
        self._policy = policy or AddressPolicy(allow_private=config.allow_private_addresses)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: OutboundRequest) -> Answer:
        """The answer, whatever its status.

        Raises:
            ToolError: there is none: a refused address, no connection, too late, or too large.
        """
        where = without_query(request.url)
        seconds = self._config.tool_timeout_seconds
        try:
            return await asyncio.wait_for(self._followed(request), seconds)
        except (asyncio.TimeoutError, TimeoutError):  # two classes on Python 3.10
            raise ToolError(f"{where} did not answer within {seconds:g} s (tool_timeout_seconds)") from None
        except AddressRefusedError as error:
            advice = "to allow it, put settings: {allow_private_addresses: true} into engine.yml"
            raise ToolError(f"{error.why}; {advice}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ToolError(f"{where} could not be asked: {error}") from None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    async def _followed(self, request: OutboundRequest) -> Answer:
        hop = request
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = await self._sent(hop)
            if answer.status not in _REDIRECTS or location is None or not request.follow:
                return answer
            hop = _redirected(hop, answer.status, location)
        raise ToolError(f"{without_query(request.url)} redirects more than {MAX_REDIRECTS} times")

    async def _sent(self, hop: OutboundRequest) -> tuple[Answer, str | None]:
        url = URL(hop.url, encoded=True)
        self._judge_literal(url)
        async with self._opened().request(
            hop.method, url, headers=hop.headers, data=hop.body, allow_redirects=False
        ) as response:
            body = await self._read(response)
            charset = response.charset or "utf-8"
            answer = Answer(response.status, response.reason or "", response.content_type, charset, body)
            return answer, response.headers.get("Location")

    def _judge_literal(self, url: URL) -> None:
        # aiohttp asks no resolver about what looks like an address to it, `127.1` included.
        host = url.host or ""
        if self._policy.trusts(url.scheme, host, url.port):
            return
        if ":" in host or host.replace(".", "").isdigit() or _is_address(host):
            self._policy.admit(host, [host])

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._config.max_tool_result_bytes
        body = bytearray()
        async for block in response.content.iter_chunked(_BLOCK_BYTES):
            body += block
            if len(body) > limit:
                raise ToolError(f"the answer is larger than {limit} bytes (max_tool_result_bytes)")
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Every connection resolves anew, so that what is connected to is what was just judged.
            resolver = _JudgingResolver(self._policy)
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
            # Each answer has its own limit above; cookies would let one chat's call see another's.
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout()
            )
        return self._session


class _JudgingResolver(AbstractResolver):
    """Gives the addresses of a name if all of them may be reached."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await judged_addresses(self._policy, host, port, family)

    async def close(self) -> None:
        """There is nothing to close."""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _redirected(hop: OutboundRequest, status: int, location: str) -> OutboundRequest:
    before = URL(hop.url, encoded=True)
    target = before.join(URL(location))
    if target.scheme not in {"http", "https"} or target.user is not None:
        raise ToolError(f"{without_query(hop.url)} redirects to what is no http or https URL")
    ours = target.origin() == before.origin()
    stays = status in _METHOD_STAYS or hop.method == "GET"
    names = {name for name in hop.headers if (stays if name.lower() == "content-type" else ours)}
    headers = {name: hop.headers[name] for name in names}
    url = str(target.with_fragment(None))
    return OutboundRequest(hop.method if stays else "GET", url, headers, hop.body if stays else None)
