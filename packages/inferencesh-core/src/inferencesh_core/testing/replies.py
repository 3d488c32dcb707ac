"""What a scripted server may answer, and what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConnectError, TransportError
from ..http.messages import origin_of
from ..json_codec import dumps, loads

if TYPE_CHECKING:
    from ..http.messages import Request

Step: TypeAlias = bytes | float | Exception
"""A piece of a body: bytes that arrive, seconds that pass, or the error that ends it."""


@dataclass(frozen=True)
class Reply:
    """What a scripted server does with one request.

    Attributes:
        status: The HTTP status.
        headers: The response's headers, names in lower case.
        steps: The body, piece by piece; taken as it is read, so it may be endless.
        after: Seconds until the header arrives.
        error: What happens in place of a response, ``after`` seconds from the request.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: Iterable[Step] = ()
    after: float = 0.0
    error: Exception | None = None


def answer(
    value: Any = None, status: int = 200, headers: Mapping[str, str] | None = None, after: float = 0.0
) -> Reply:
    """Give a whole answer: ``value`` as JSON, bytes as they are, nothing for ``None``."""
    body = b"" if value is None else value if isinstance(value, bytes) else dumps(value)
    return Reply(status, headers or {}, (body,), after)


def stream(*steps: Step | Mapping[str, Any]) -> Reply:
    """Give a body that arrives piece by piece; a mapping is a line of NDJSON."""
    return Reply(steps=[dumps(step) + b"\n" if isinstance(step, Mapping) else step for step in steps])


def cut(after: float = 0.0) -> Reply:
    """Break the connection when the request was received, before anything is answered."""
    return Reply(after=after, error=TransportError("scripted: the connection broke"))


def refused() -> Reply:
    """Refuse the connection: the request never leaves."""
    return Reply(error=ConnectError("scripted: connection refused"))


def silence() -> Reply:
    """Take the request and never answer."""
    return Reply(after=inf)


@dataclass(frozen=True)
class Seen:
    """A request as the scripted server saw it.

    Attributes:
        request: The request itself.
        body: Its body, read to the end.
        at: When it arrived, in seconds.
    """

    request: Request
    body: bytes
    at: float

    @property
    def line(self) -> str:
        """Method and path, without the query: ``POST /apps/run``."""
        url = self.request.url
        return f"{self.request.method} {url[len(origin_of(url)) :].partition('?')[0]}"

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names as they were written."""
        return self.request.headers

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return loads(self.body)
