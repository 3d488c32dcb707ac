"""GET requests under the address rules: the connection goes to the address that was judged, on every hop."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from .errors import ConnectError, TransportError
from .http.environment import tls_context
from .http.messages import Request
from .http.pooling import PooledStream, as_transport_error, use_deadlines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.util import Url

    from .addresses import AddressPolicy

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class UnusableURLError(TransportError, ValueError):
    """A URL that cannot be requested, or one that redirects without end; trying again is of no use."""


def open_url(
    url: str,
    headers: Mapping[str, str],
    policy: AddressPolicy,
    *,
    connect_timeout: float,
    read_timeout: float,
) -> PooledStream:
    """Give the response of a GET, redirects followed; the caller closes it.

    Args:
        url: An http(s) URL.
        headers: They go to every hop, so they carry no credentials.
        policy: Judges the address of every hop.
        connect_timeout: Seconds until connected.
        read_timeout: Seconds until the header of the response is there.

    Raises:
        AddressRefusedError: the URL, or one it redirects to, lies at a refused address.
        UnusableURLError: no http(s) URL, or more than `MAX_REDIRECTS` redirects.
        TransportError: no connection, or no answer in time.
    """
    hop = url
    for _ in range(MAX_REDIRECTS + 1):
        request = Request("GET", hop, headers, connect_timeout=connect_timeout, read_timeout=read_timeout)
        stream = _opened(request, policy)
        location = stream.headers.get("location")
        if stream.status not in _REDIRECTS or not location:
            return stream
        stream.close()
        hop = urljoin(hop, location)
    raise UnusableURLError(f"{without_query(url)} redirects more than {MAX_REDIRECTS} times")


def without_query(url: str) -> str:
    """Give a URL for messages: query and fragment, where signatures stand, and user names left out."""
    base = url.partition("#")[0].partition("?")[0]
    scheme, separator, rest = base.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _opened(request: Request, policy: AddressPolicy) -> PooledStream:
    parts = _parts(request.url)
    last: TransportError | None = None
    for target in _targets(parts, policy):
        try:
            return _requested(request, parts, target)
        except ConnectError as error:  # noqa: PERF203 - the next address may answer
            last = error
    raise last or ConnectError(f"{without_query(request.url)}: {parts.host} has no address")


def _parts(url: str) -> Url:
    # One parser both judges and connects: two that disagree about the host are how such checks are fooled.
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise UnusableURLError(f"{without_query(url)} is not a URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise UnusableURLError(f"{without_query(url)} is not an http or https URL")
    return parts


def _targets(parts: Url, policy: AddressPolicy) -> list[str]:
    """The hosts to connect to, in order: the name itself where it is trusted, else its judged addresses."""
    host = str(parts.host)
    if policy.trusts(str(parts.scheme), host, parts.port):
        return [host]
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"cannot find the address of {host}: {error}") from error
    return [_bracketed(address) for address in policy.admit(host, (str(info[4][0]) for info in found))]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _requested(request: Request, parts: Url, target: str) -> PooledStream:
    headers = {**request.headers, "Host": _host_header(parts), "Connection": "close"}
    try:
        response = _manager(parts).urlopen(
            "GET",
            parts._replace(host=target, auth=None, fragment=None).url,
            headers=headers,
            timeout=urllib3.Timeout(connect=request.connect_timeout, read=request.read_timeout),
            preload_content=False,
            retries=False,
            redirect=False,
        )
    except (HTTPError, OSError) as error:
        raise as_transport_error(error, request) from error
    return PooledStream(response, request)


def _host_header(parts: Url) -> str:
    return f"{parts.host}:{parts.port}" if parts.port else str(parts.host)


def _manager(parts: Url) -> urllib3.PoolManager:
    host = str(parts.host)
    options: dict[str, Any] = {}
    if parts.scheme == "https":
        # The certificate is that of the name in the URL, whatever address the connection goes to.
        name = host.strip("[]")
        options = {"ssl_context": tls_context(verify=True), "server_hostname": name, "assert_hostname": name}
    proxy = None if proxy_bypass(host) else getproxies().get(str(parts.scheme))
    manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
    use_deadlines(manager)
    return manager
