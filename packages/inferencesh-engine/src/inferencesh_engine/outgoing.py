"""Requests to addresses that callers name: the connection goes to the address that was judged."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from inferencesh_core.errors import TransportError
from inferencesh_core.pinned import without_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferencesh_core.addresses import AddressPolicy


async def post(
    url: str, body: bytes, headers: Mapping[str, str], policy: AddressPolicy, *, timeout_seconds: float
) -> int:
    """POST and give the status of the answer, whose body is not read; redirects are not followed.

    Raises:
        AddressRefusedError: The policy forbids where the URL leads.
        TransportError: There was no answer in time; the text names the URL without its query.
    """
    target = URL(url)
    try:
        return await asyncio.wait_for(_answered(target, body, headers, policy), timeout_seconds)
    except asyncio.TimeoutError:
        raise TransportError(f"{without_query(url)} did not answer within {timeout_seconds:g} s") from None
    except (ClientError, OSError, UnicodeError) as error:
        reason = str(error).replace(str(target), without_query(url))  # secrets stand in queries
        raise TransportError(f"{without_query(url)} cannot be reached: {reason}") from error


async def _answered(target: URL, body: bytes, headers: Mapping[str, str], policy: AddressPolicy) -> int:
    host, port = target.raw_host or "", target.port or 0
    trusted = policy.trusts(target.scheme, host, port)
    resolver = _Judged(await judged_addresses(policy, host, port, trusted=trusted))
    async with (
        TCPConnector(resolver=resolver, use_dns_cache=False) as connector,
        ClientSession(connector=connector, cookie_jar=DummyCookieJar()) as session,
        session.post(target, data=body, headers=headers, allow_redirects=False) as response,
    ):
        response.close()
        return response.status


async def judged_addresses(
    policy: AddressPolicy,
    host: str,
    port: int,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    *,
    trusted: bool = False,
) -> list[ResolveResult]:
    """Where the host is; numbers in all their spellings are looked up too, and so judged.

    Args:
        policy: Which addresses may be reached.
        host: A name or an address.
        port: Where a connection is to go.
        family: Addresses of other kinds are left out.
        trusted: The host may be reached wherever it lies.

    Raises:
        AddressRefusedError: The policy forbids one of the addresses.
        OSError: The host is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    if not trusted:
        addresses = policy.admit(host, addresses)
    return [_resolved(host, address, port) for address in addresses]


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


class _Judged(AbstractResolver):
    """Gives the addresses that were judged, however often it is asked."""

    def __init__(self, found: list[ResolveResult]) -> None:
        self._found = found

    async def resolve(
        self,
        host: str,  # noqa: ARG002  # aiohttp's signature, here and below
        port: int = 0,  # noqa: ARG002
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        """All of them: nothing else is looked up in this connection."""
        return self._found

    async def close(self) -> None:
        """There is nothing to close."""
