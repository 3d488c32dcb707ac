"""Tools of type `agent`: each call is a chat with that agent, below the one that calls."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from ...domain.problems import Problem
from .runner import Offered, ToolError, ToolOutcome

if TYPE_CHECKING:
    from .runner import ChildEnd, Invocation, Started, Tool, ToolServices

_MESSAGE = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "what the agent is to do, in full"}},
    "required": ["message"],
}


class AgentRunner:
    """Has another agent work; the chat's id is the execution id."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services

    async def offered(self, tool: Tool) -> Offered:
        """One argument, the message."""
        ref, agent_id, version_id = (tool.spec.get(name) or None for name in ("ref", "id", "version_id"))
        try:
            template = self._services.catalog.find_agent(ref, agent_id=agent_id, version_id=version_id)
        except Problem as problem:
            raise ToolError(problem.detail) from None
        return Offered.of(tool, _MESSAGE, template.config.get("description") or f"Ask {template.ref}.")

    async def run(self, invocation: Invocation, started: Started) -> ToolOutcome:
        """Let it answer, or wait for the chat an earlier engine has started."""
        limit, chat_id = self._services.config.max_agent_depth, invocation.execution_id
        if invocation.depth >= limit:
            raise ToolError(
                f"agents call agents at most {limit} deep here (max_agent_depth); answer yourself"
            )
        try:
            if chat_id is None:
                message = invocation.arguments["message"]
                chat_id = await self._services.chats.start_child(invocation, invocation.tool.spec, message)
                await started(chat_id)
            return _outcome(await self._ended(chat_id))
        except Problem as problem:
            raise ToolError(problem.detail) from None

    async def close(self) -> None:
        """There is nothing to close: chats are the engine's."""

    async def _ended(self, chat_id: str) -> ChildEnd:
        try:
            return await self._services.chats.child_ended(chat_id)
        except asyncio.CancelledError:
            if not self._services.stopping():
                await self._services.chats.stop(chat_id)
            raise


def _outcome(end: ChildEnd) -> ToolOutcome:
    if end.error is not None:
        raise ToolError(f"the agent did not finish: {end.error}")
    return ToolOutcome(text=end.text if end.output is None else json.dumps(end.output, ensure_ascii=False))
