"""One request being answered: what a handler may ask about it, and how the answer is shaped."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_response import Response, StreamResponse
from multidict import CIMultiDict

from ..domain.problems import Problem
from .envelopes import JSON, failure, success, to_json
from .gate import body_too_large

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from aiohttp.web_request import BaseRequest

    from ..engine import Engine
    from .routes import Parameters

END_PAUSE_SECONDS = 0.002
CUT = (RequestPayloadError, ConnectionError)
"""What reading a body raises when the connection is lost."""

BASE_HEADERS = CIMultiDict(
    {
        "Content-Type": JSON,
        "Accept-Idempotency-Key": "yes",
        "Cache-Control": "no-store",
        "Server": "inferencesh-engine",
        "X-Content-Type-Options": "nosniff",
    }
)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# JSON can say half of a character in this way, which no database, file name or other program can.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


class Call:
    """A request and its answer.

    Attributes:
        parameters: What stood in the path, decoded.
        caller: Who asks, as an id of the token; it is no secret.
        bare: Whether the caller asked for bare bodies, by `X-API-Version: 2`.
        headers: What the answer carries; handlers may add to it.
    """

    __slots__ = ("bare", "caller", "engine", "headers", "parameters", "request")

    def __init__(self, request: BaseRequest, engine: Engine, caller: str) -> None:
        self.request = request
        self.engine = engine
        self.caller = caller
        self.parameters: Parameters = {}
        self.bare = request.headers.get("X-API-Version", "").strip() == "2"
        self.headers = BASE_HEADERS.copy()

    async def json_object(self) -> dict[str, Any]:
        """The body, which must be a JSON object; empty when there is no body at all (wire protocol 1.5)."""
        if not self.request.body_exists:
            return {}
        content = await self._body()
        body = _parsed(content) if content else {}
        if not isinstance(body, dict):
            raise Problem(
                400, "invalid_request", f"the body must be a JSON object, not {type(body).__name__}"
            )
        return body

    def expect_body(self) -> None:
        """Tell a client that waits for leave to send its body (`Expect: 100-continue`) to go on."""
        transport = self.request.transport
        if transport is not None and self.request.headers.get("Expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answer(self, result: Any) -> Response:
        """A success; the result is the resource, or its JSON as bytes."""
        resource = result if isinstance(result, bytes) else to_json(result)
        return Response(body=success(resource, bare=self.bare), headers=self.headers)

    def refusal(self, problem: Problem) -> Response:
        """A failure."""
        content_type, body = failure(problem, bare=self.bare)
        self.headers["Content-Type"] = content_type
        self.headers.update(_problem_headers(problem))
        return Response(status=problem.status, body=body, headers=self.headers)

    async def stream(self, content_type: str, chunks: AsyncGenerator[bytes]) -> StreamResponse:
        """A success that is sent piece by piece, until the chunks end or the caller leaves."""
        self.headers["Content-Type"] = content_type
        self.headers["X-Accel-Buffering"] = "no"
        response = StreamResponse(headers=self.headers)
        with suppress(ConnectionError):
            async with aclosing(chunks):
                await response.prepare(self.request)
                async for chunk in chunks:
                    await response.write(chunk)
                # JavaScript clients never settle when the last line and the end of the body arrive together.
                await asyncio.sleep(END_PAUSE_SECONDS)
                await response.write_eof()
        return response

    async def _body(self) -> bytes:
        self.expect_body()
        limit = self.engine.config.max_body_bytes
        try:
            body = await self.request.read()
        except HTTPRequestEntityTooLarge as error:
            raise body_too_large(limit) from error
        except CUT as error:
            raise incomplete(error) from error
        # Releases of aiohttp differ by one byte in what they let through.
        if len(body) > limit:
            raise body_too_large(limit)
        return body


def incomplete(error: Exception) -> Problem:
    """400: the connection was cut before the body was complete."""
    return Problem(400, "incomplete_body", f"the body ended early: {error}; send all of it again")


def _parsed(body: bytes) -> Any:
    try:
        parsed = _decode(body.decode())
        if _SURROGATE.search(body):
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Problem(400, "invalid_request", f"the body is not JSON in UTF-8: {error}") from error
    return parsed


def _problem_headers(problem: Problem) -> Mapping[str, str]:
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="inference.sh engine"'
    if "retry_after" in problem.extra:
        headers["Retry-After"] = str(problem.extra["retry_after"])
    if "allow" in problem.extra:
        headers["Allow"] = problem.extra["allow"]
    return headers
