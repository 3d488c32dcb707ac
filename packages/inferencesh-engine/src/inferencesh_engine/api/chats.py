"""Chats: talking to agents, and following what they say (wire protocol 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..agents.feed import frames
from ..domain.listing import ListQuery
from ..domain.problems import Problem
from ..streams import framing
from .idempotency import idempotency, mark_replayed
from .lists import DEFAULT_PAGE_ITEMS, list_query
from .pages import page_of
from .routes import Route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp.web_response import StreamResponse

    from ..domain.chat_views import ChatEvent
    from .call import Call


async def run(call: Call) -> Any:
    """Take a message: answer at once, or with what the assistant says (`stream`)."""
    body = await call.json_object()
    asked = idempotency(call, body, route="agents/run")
    sent = await call.engine.agents.chats.run(body, idempotency=asked)
    if sent.replayed:
        mark_replayed(call)
    if body.get("stream") is True:
        return await _followed(call, call.engine.agents.chats.follow_answer(sent), named=False)
    return sent.dto


async def create(call: Call) -> Any:
    """A chat in which nothing has been said."""
    return await call.engine.agents.chats.create(await call.json_object())


async def search(call: Call) -> Any:
    """A page of chats, without their messages."""
    query = list_query(await call.json_object())
    return (await call.engine.agents.chats.list(query)).to_dto()


async def get(call: Call) -> Any:
    """The chat with its messages."""
    return call.engine.agents.chats.get(call.parameters["id"])


async def status(call: Call) -> Any:
    """The little that pollers compare."""
    return call.engine.agents.chats.status(call.parameters["id"])


async def update(call: Call) -> Any:
    """Change a chat's name or description."""
    return await call.engine.agents.chats.update(call.parameters["id"], await call.json_object())


async def delete(call: Call) -> None:
    """Stop a chat and forget it."""
    await call.engine.agents.chats.delete(call.parameters["id"])


async def trace(call: Call) -> Any:
    """The chat and those below it."""
    return call.engine.agents.chats.trace(call.parameters["id"])


async def stream(call: Call) -> StreamResponse:
    """Follow a chat. One that is not there fails here, before the stream begins."""
    return await _followed(call, call.engine.agents.chats.follow(call.parameters["id"]), named=True)


async def stop(call: Call) -> Any:
    """Stop what the chat does; it does nothing any more when this answers."""
    return await call.engine.agents.chats.stop(call.parameters["id"])


async def say(call: Call) -> Any:
    """Say something in a chat; answers with the user's message."""
    body = await call.json_object()
    chat_id, given = call.parameters["id"], body.get("message", body.get("input"))
    asked = idempotency(call, body, route=f"chats/{chat_id}/messages")
    sent = await call.engine.agents.chats.say(chat_id, given, idempotency=asked)
    if sent.replayed:
        mark_replayed(call)
    return sent.dto["user_message"]


async def messages(call: Call) -> Any:
    """A page of a chat's messages, in order."""
    asked = call.request.query
    limit = asked.get("limit") or str(DEFAULT_PAGE_ITEMS)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= 500):
        raise Problem(400, "invalid_request", f"limit must be a number from 1 to 500, not {limit!r:.100}")
    found = call.engine.agents.chats.messages(call.parameters["id"])
    return page_of(found, ListQuery(cursor=asked.get("cursor", ""), limit=int(limit)), searched=()).to_dto()


async def cancel_message(call: Call) -> Any:
    """Take back a message that waits for its turn."""
    return await call.engine.agents.chats.cancel_message(call.parameters["message"])


async def switch_agent(call: Call) -> Any:
    """Let another agent answer from now on."""
    return await call.engine.agents.chats.switch_agent(call.parameters["id"], await call.json_object())


async def _followed(call: Call, events: AsyncGenerator[ChatEvent], *, named: bool) -> StreamResponse:
    form = framing(call.request.headers.get("Accept", ""))
    seconds = call.engine.config.heartbeat_seconds
    chunks = frames(events, form, heartbeat_seconds=seconds, named=named)
    return await call.stream(form.content_type, chunks)


ROUTES = (
    Route("POST", "/agents/run", run, "Say something to an agent, in a new chat or one there is"),
    Route("POST", "/chats", create, "Create a chat"),
    Route("POST", "/chats/list", search, "List chats"),
    Route("GET", "/chats/{id}", get, "Get a chat and its messages"),
    Route("POST", "/chats/{id}", update, "Change the name or description of a chat"),
    Route("DELETE", "/chats/{id}", delete, "Delete a chat"),
    Route("GET", "/chats/{id}/status", status, "Get the status of a chat"),
    Route("GET", "/chats/{id}/stream", stream, "Follow a chat as NDJSON or server-sent events"),
    Route("GET", "/chats/{id}/trace", trace, "Get what happened in a chat and those below it"),
    Route("POST", "/chats/{id}/stop", stop, "Stop what a chat does"),
    Route("GET", "/chats/{id}/messages", messages, "List the messages of a chat"),
    Route("POST", "/chats/{id}/messages", say, "Say something in a chat"),
    Route("POST", "/chats/{id}/agent", switch_agent, "Change the agent of a chat"),
    Route("POST", "/chats/messages/{message}/cancel", cancel_message, "Take back a message that waits"),
)
