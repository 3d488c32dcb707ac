"""The HTTP server: listens, lets requests through the gate, and has their handlers answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server as HttpServer

from ..domain.problems import Problem
from ..listening import Listening
from ..presence import TOKEN_FILE, Presence, kept_token
from ..signpost import Signpost
from . import agents, apps, blobs, chats, files, malformed, sessions, tasks, tools
from .cors import allow, preflight
from .gate import LOOPBACK_NAMES, Gate
from .health import health_routes
from .openapi import with_document
from .own_names import call_of
from .routes import Router

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from ..engine import Engine
    from .call import Call

STOP_SECONDS = 1.0
READ_BUFFER_BYTES = 256 * 1024

logger = logging.getLogger("inferencesh.engine")


class Server:
    """Serves one started engine.

    Args:
        engine: What answers; its `base_url` is set while the server listens.
        allow_origins: Origins of web pages that may call the API; none by default.
        listening: Where to listen; None takes what the engine's configuration says.

    Attributes:
        token: What callers must send; the configured one, or the one kept in the state folder.
    """

    token: str

    def __init__(
        self, engine: Engine, *, allow_origins: Iterable[str] = (), listening: Listening | None = None
    ) -> None:
        self._engine = engine
        self._listening = listening
        self._origins = tuple(allow_origins)
        self._instance = secrets.token_hex(8)
        resources = (tasks, sessions, apps, agents, chats, tools, files, blobs)
        listed = [*health_routes(self._instance), *(route for each in resources for route in each.ROUTES)]
        self._router = Router(with_document(listed))

    async def start(self) -> str:
        """Listen; gives the base URL. Raises EngineStartError when the port is taken."""
        config = self._engine.config
        self.token = kept_token(config.state_path, config.token)
        self._caller = hashlib.sha256(self.token.encode()).hexdigest()[:16]
        self._gate = Gate(
            self.token,
            config.state_path.absolute() / TOKEN_FILE if config.host in LOOPBACK_NAMES else None,
            hosts=(config.host, *config.allow_hosts),
            origins=self._origins,
            max_body_bytes=config.max_body_bytes,
        )
        self._http = self._protocol()
        self._listening = self._listening or Listening(config.host, config.port)
        base_url = self._engine.base_url = self._listening.base_url
        await self._listening.serve(self._http)
        self._presence = Presence(base_url, os.getpid(), self._instance)
        self._presence.announce(config.state_path)
        self._signpost = Signpost(config)
        self._signpost.put_up()
        return base_url

    async def stop(self) -> None:
        """Stop listening; requests in progress get a moment to end, streams are cut."""
        self._signpost.take_down()
        self._presence.withdraw(self._engine.config.state_path)
        listening = self._listening
        if listening is not None:
            await listening.let_last_ones_in()
            listening.close()
        self._http.pre_shutdown()
        await self._http.shutdown(STOP_SECONDS)
        if listening is not None:
            await listening.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _protocol(self) -> HttpServer:
        limit = self._engine.config.max_body_bytes + 1

        loop = asyncio.get_running_loop()

        def request(
            message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
        ) -> BaseRequest:
            return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

        return HttpServer(
            self._answer,
            request_factory=request,
            access_log=None,
            logger=malformed.logger,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
        )

    async def _answer(self, request: BaseRequest) -> StreamResponse:
        call = call_of(request, self._engine, self._caller)
        try:
            return await self._handled(call)
        except Problem as problem:
            return call.refusal(problem)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            detail = "the engine failed to answer; its log says why"
            return call.refusal(Problem(500, "internal_error", detail))

    async def _handled(self, call: Call) -> StreamResponse:
        request = call.request
        raw_path = request.rel_url.raw_path
        route, call.parameters = self._router.find(request.method, raw_path)
        if self._origins and (origin := self._gate.allowed_origin(request.headers)):
            allow(origin, call.headers)
            if request.method == "OPTIONS":
                return preflight(call.headers)
        self._gate.check(request, route)
        if route is None:
            raise self._router.refusal(request.method, raw_path)
        result = await route.handler(call)
        return result if isinstance(result, StreamResponse) else call.answer(result)
