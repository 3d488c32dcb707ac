"""Who may call: the checks every request passes before anything is done for it.

A server on one's own machine is reachable from every web page its user visits, so names, origins and fetch
metadata are checked besides the token: a page must neither guess its way in nor rebind its name to loopback.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aiohttp.web_request import BaseRequest

    from .routes import Route

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_OWN_SITES = ("same-origin", "none")
_BODY_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class Gate:
    """Lets a request pass, or raises the problem that refuses it.

    Args:
        token: What callers must send as a bearer token.
        token_file: Where a caller finds it; named in the refusal. None does not tell.
        hosts: Names and addresses, with or without a port, that `Host` may have besides loopback ones.
        origins: Origins of web pages that may call, as browsers write them: `http://localhost:3000`.
        max_body_bytes: The largest body of a JSON route.
    """

    def __init__(
        self,
        token: str,
        token_file: Path | None,
        *,
        hosts: Iterable[str],
        origins: Iterable[str],
        max_body_bytes: int,
    ) -> None:
        self._token = token.encode()
        self._token_file = token_file
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, *hosts)}
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._max_body_bytes = max_body_bytes

    def check(self, request: BaseRequest, route: Route | None) -> None:
        """Pass a request for this route; None is a path where nothing answers, which needs the token too."""
        headers = request.headers
        self._check_host(headers.get("Host", ""))
        self._check_page(headers, signed=route is not None and route.open)
        if route is None or not route.open:
            self._check_token(headers.get("Authorization", ""))
        if request.method in _BODY_METHODS and request.body_exists and not (route and route.raw_body):
            self._check_body(request)

    def allowed_origin(self, headers: Mapping[str, str]) -> str | None:
        """The origin of a page that was let in by configuration; None for everybody else."""
        origin = headers.get("Origin")
        return origin if origin is not None and origin.lower() in self._origins else None

    def _check_host(self, host: str) -> None:
        name = host.lower()
        if name not in self._hosts and without_port(name) not in self._hosts:
            detail = (
                f"this engine does not answer to the name {host!r}; if it should, start it with --allow-host"
            )
            raise Problem(421, "misdirected_request", detail)

    def _check_page(self, headers: Mapping[str, str], *, signed: bool) -> None:
        origin = headers.get("Origin")
        if origin is not None:
            if origin.lower() not in self._origins and not _is_same_origin(origin, headers.get("Host", "")):
                detail = f"pages of {origin} may not call this engine; if they should, use --allow-origin"
                raise Problem(403, "forbidden_origin", detail)
            return
        site = headers.get("Sec-Fetch-Site")
        # A browser shows an image of a page that may call us without saying which page it is.
        if site is not None and site not in _OWN_SITES and not (signed and self._origins):
            raise Problem(403, "forbidden_origin", f"a {site} page may not make requests to this engine")

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        right = hmac.compare_digest(token.strip().encode(errors="replace"), self._token)
        if not right or scheme.lower() != "bearer":
            what = "the token is not the one of this engine" if token else "a token is needed"
            where = (
                f"; the token is in {self._token_file} on the engine's machine" if self._token_file else ""
            )
            detail = f"{what}: send the header 'Authorization: Bearer <token>'{where}"
            raise Problem(401, "unauthorized", detail)

    def _check_body(self, request: BaseRequest) -> None:
        content_type = request.headers.get("Content-Type", "")
        if content_type != "application/json" and not _is_json(content_type):
            detail = (
                f"send JSON with 'Content-Type: application/json', not {content_type or 'without a type'!r}"
            )
            raise Problem(415, "unsupported_media_type", detail)
        if (request.content_length or 0) > self._max_body_bytes:
            raise body_too_large(self._max_body_bytes)


def body_too_large(max_bytes: int) -> Problem:
    """413: the body of a JSON route is over the limit."""
    detail = (
        f"the body is larger than this engine takes ({max_bytes} bytes); send large content with POST /files"
    )
    return Problem(413, "body_too_large", detail)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def without_port(host: str) -> str:
    """The name or address in a `Host` header; IPv6 without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
