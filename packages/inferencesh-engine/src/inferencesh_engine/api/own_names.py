"""Addresses of files for callers who know the engine by another name than it does itself.

An engine that listens to all the machine's addresses signs file addresses with the loopback one, which leads
other machines to themselves. Signatures do not cover the host, so the answer gets the one the caller used.
Who uses a loopback name costs nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..signing import READ_PATH
from .call import Call
from .gate import LOOPBACK_NAMES, without_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp.web_request import BaseRequest
    from aiohttp.web_response import Response, StreamResponse

    from ..domain.problems import Problem
    from ..engine import Engine

# What goes into JSON as it came: names, IPv4 and bracketed IPv6 addresses, and a port.
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)


def call_of(request: BaseRequest, engine: Engine, caller: str) -> Call:
    """The request as a call; its answer names the engine as the request did."""
    host = request.headers.get("Host", "")
    if without_port(host.lower()) in LOOPBACK_NAMES or not _HOST.fullmatch(host):
        return Call(request, engine, caller)
    return _CallByName(request, engine, caller, host)


class _CallByName(Call):
    """A call from a machine that reaches the engine by `host`."""

    __slots__ = ("_name", "_own")

    def __init__(self, request: BaseRequest, engine: Engine, caller: str, host: str) -> None:
        super().__init__(request, engine, caller)
        self._own = f"{engine.base_url}{READ_PATH}".encode()
        self._name = f"http://{host}{READ_PATH}".encode()

    def answer(self, result: Any) -> Response:
        return self._named(super().answer(result))

    def refusal(self, problem: Problem) -> Response:
        return self._named(super().refusal(problem))

    async def stream(self, content_type: str, chunks: AsyncGenerator[bytes]) -> StreamResponse:
        return await super().stream(content_type, self._named_chunks(chunks))

    def _named(self, response: Response) -> Response:
        if isinstance(response.body, bytes):
            response.body = response.body.replace(self._own, self._name)
        return response

    async def _named_chunks(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for chunk in chunks:
            yield chunk.replace(self._own, self._name)
