"""Web pages of other origins that were let in by configuration (wire protocol 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.web_response import Response

if TYPE_CHECKING:
    from multidict import CIMultiDict

_METHODS = "GET, HEAD, POST, PUT, DELETE"
_REQUEST_HEADERS = (
    "authorization, content-type, x-api-version, x-client-source, cache-control, "
    "idempotency-key, last-event-id"
)
_ANSWER_HEADERS = "Idempotent-Replayed, Accept-Idempotency-Key, Retry-After, Content-Range, Repr-Digest"


def allow(origin: str, headers: CIMultiDict[str]) -> None:
    """Let pages of this origin read the answer. Credentials need the exact origin, not `*`."""
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
    headers["Vary"] = "Origin"


def preflight(headers: CIMultiDict[str]) -> Response:
    """The answer to a browser that asks first."""
    headers["Access-Control-Allow-Methods"] = _METHODS
    headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
    headers["Access-Control-Max-Age"] = "600"
    return Response(status=204, headers=headers)
