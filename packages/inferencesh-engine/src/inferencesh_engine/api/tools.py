"""Tool invocations: what people do with them (wire protocol 5.9 and 5.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .routes import Route

if TYPE_CHECKING:
    from .call import Call


async def submit(call: Call) -> Any:
    """Give the result of a client tool."""
    return await call.engine.agents.decisions.submit(call.parameters["id"], await call.json_object())


async def approve(call: Call) -> Any:
    """Let the tool run."""
    return await call.engine.agents.decisions.approve(call.parameters["id"], await call.json_object())


async def reject(call: Call) -> Any:
    """Do not let it run."""
    return await call.engine.agents.decisions.reject(call.parameters["id"], await call.json_object())


async def always_allow(call: Call) -> Any:
    """Let it run, now and whenever this chat calls it again."""
    chat, invocation = call.parameters["chat"], call.parameters["id"]
    return await call.engine.agents.decisions.always_allow(chat, invocation, await call.json_object())


async def resolve(call: Call) -> Any:
    """Approve or reject, by the newer name of it."""
    return await call.engine.agents.decisions.resolve(call.parameters["id"], await call.json_object())


ROUTES = (
    Route("POST", "/tools/{id}", submit, "Give the result of a tool call"),
    Route("POST", "/tools/{id}/invoke", approve, "Approve a tool call"),
    Route("POST", "/tools/{id}/reject", reject, "Reject a tool call"),
    Route("POST", "/chats/{chat}/tools/{id}/always-allow", always_allow, "Approve a tool for a whole chat"),
    Route("POST", "/interrupts/{id}/resolve", resolve, "Approve or reject a tool call"),
)
