"""Requests and responses as flows and transports exchange them; no HTTP library's type appears here."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Union
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..secret import Secret
    from ..sources import UploadSource

Body = Union["bytes", "UploadSource", None]

SEND_SECONDS = 60.0
"""How long one block of a body may take to leave."""

_SHORTEST_SECRET = 6
"""Characters."""

_LEFT_AS_WRITTEN = "!#$%&'()*+,/:;=?@[]~"
"""In the target of a request; what else is no letter or digit is escaped."""


class Request:
    """One request, ready to go out.

    Args:
        method: The HTTP method, in capitals.
        url: The absolute URL.
        headers: What goes out, names as written.
        body: Bytes, or a source that is opened anew for each attempt; ``None`` sends no body.
        connect_timeout: Seconds until connected.
        read_timeout: Seconds for the whole response of `Send`, for the response's header of `OpenStream`.
            Where the body is a source, they count from its end.
        time_limit: Seconds for all of it, the sending of a large body included; ``None`` limits that not.
    """

    __slots__ = ("body", "connect_timeout", "headers", "method", "read_timeout", "time_limit", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body = None,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        time_limit: float | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.time_limit = time_limit

    def __repr__(self) -> str:
        return f"<Request {self.shown}>"

    @property
    def shown(self) -> str:
        """Method and address, for messages."""
        # Headers stay out: they carry credentials. So does the query: presigned URLs carry theirs there.
        return f"{self.method} {self.url.partition('?')[0]}"

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Give the same request with more headers; those given here win."""
        # Every signed request comes by here, and `copy` takes ten times as long.
        return Request(
            self.method,
            self.url,
            {**self.headers, **headers},
            self.body,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            time_limit=self.time_limit,
        )

    def to(self, url: str) -> Request:
        """Give the same request to another address."""
        changed = copy(self)
        changed.url = url
        return changed

    def within(self, seconds: float | None) -> Request:
        """Give the request with at most ``seconds`` for each part and all of it; ``None`` as it is."""
        if seconds is None or (seconds >= self.read_timeout and not self._sends_a_source()):
            return self
        changed = copy(self)
        changed.read_timeout = min(seconds, self.read_timeout)
        changed.connect_timeout = min(seconds, self.connect_timeout)
        changed.time_limit = seconds
        return changed

    def _sends_a_source(self) -> bool:
        return self.body is not None and not isinstance(self.body, bytes)


class Response:
    """A whole response. Header names are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"

    def masked(self, secret: Secret | None) -> Response:
        """Give the response without a credential that its body repeats."""
        value = secret.reveal().encode() if secret else b""
        # A text as short as that is no secret, and would be found everywhere.
        if len(value) < _SHORTEST_SECRET or value not in self.body:
            return self
        return Response(self.status, self.headers, self.body.replace(value, str(secret).encode()))


def origin_of(url: str) -> str:
    """Give scheme, host and port of an absolute URL, as written and in lower case."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError(f"{url!r} is not an absolute URL")
    authority = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    return f"{scheme}://{authority}".lower()


def target_of(url: str) -> str:
    """Give what of an absolute URL its server is asked for: the path and the query."""
    parts = urlsplit(url)
    return quote(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/", _LEFT_AS_WRITTEN)
