"""Sessions: workers whose memory lasts from call to call (wire protocol 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp.web_response import Response

from .routes import Route

if TYPE_CHECKING:
    from .call import Call


async def everything(call: Call) -> Any:
    """Every session that is kept, newest first: a plain array."""
    return await call.engine.sessions.list()


async def get(call: Call) -> Any:
    """The session as it is now, or as it was when it ended."""
    return call.engine.sessions.get(call.parameters["id"])


async def keepalive(call: Call) -> Any:
    """The session, its idle clock set back."""
    return call.engine.sessions.keepalive(call.parameters["id"])


async def end(call: Call) -> Response:
    """End the session; its worker is gone when this answers."""
    await call.engine.sessions.end(call.parameters["id"])
    del call.headers["Content-Type"]
    return Response(status=204, headers=call.headers)


ROUTES = (
    Route("GET", "/sessions", everything, "List the sessions"),
    Route("GET", "/sessions/{id}", get, "Get a session"),
    Route("POST", "/sessions/{id}/keepalive", keepalive, "Set the idle clock of a session back"),
    Route("DELETE", "/sessions/{id}", end, "End a session: its calls are cancelled, its worker unloads"),
)
