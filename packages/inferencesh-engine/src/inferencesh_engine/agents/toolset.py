"""The tools of an agent during a turn: what its model sees of them, and whether a call is one."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..acceptance import new_id
from ..domain.chat import InvocationStatus, ToolInvocation
from ..domain.problems import Problem
from ..input_schema import InputSchema
from .internal_tools import internal_tools
from .tools.runner import NO_PARAMETERS, Offered, Tool, ToolError

if TYPE_CHECKING:
    from ..domain.chat import Message
    from .configuration import AgentConfig
    from .conversation import ModelCall
    from .tools.registry import ToolRegistry

_log = logging.getLogger("inferencesh.engine")

_NOBODY = json.dumps(
    {
        "status": "not_available",
        "message": "nobody follows the chat of an agent that another agent has called, so that no client "
        "can run this tool there; do without it, and say what was missing",
    }
)


@dataclass(frozen=True)
class Toolset:
    """Tools by name, and those of them that are offered.

    Attributes:
        notices: Why others are not, a line for each.
        top_level: Whether somebody has started the chat, and runs its client tools.
    """

    tools: Mapping[str, Tool]
    offered: Mapping[str, Offered]
    notices: tuple[str, ...] = ()
    top_level: bool = True

    @property
    def client_move(self) -> dict[str, Any]:
        """What becomes of a client tool's call that may run: its `status`, and a `result` if that is all."""
        if self.top_level:
            return {"status": InvocationStatus.AWAITING_INPUT}
        return {"status": InvocationStatus.COMPLETED, "result": _NOBODY}

    def invocation(
        self, message: Message, position: int, call: ModelCall, always_allowed: Iterable[str]
    ) -> ToolInvocation:
        """What becomes of a model's call: it is on its way, waits for somebody, or has failed already."""
        tool = self.tools.get(call.name)
        invocation = ToolInvocation(
            id=new_id(),
            chat_id=message.chat_id,
            message_id=message.id,
            created_at=message.updated_at,
            updated_at=message.updated_at,
            position=position,
            call_id=call.call_id,
            name=call.name,
            display_name=tool.display_name if tool is not None else "",
            type=tool.type if tool is not None else "internal",
            arguments=call.arguments,
        )
        wrong = self._wrong_with(call)
        if tool is None or wrong is not None:
            return replace(invocation, status=InvocationStatus.FAILED, result=wrong)
        if tool.require_approval and tool.name not in always_allowed:
            return replace(invocation, status=InvocationStatus.AWAITING_APPROVAL)
        return replace(invocation, **self.client_move) if tool.type == "client" else invocation

    def _wrong_with(self, call: ModelCall) -> str | None:
        offered = self.offered.get(call.name)
        if offered is None:
            there_are = ", ".join(self.offered) or "none"
            return f"there is no tool {call.name!r}; there are: {there_are}"
        if isinstance(call.arguments, str):
            return f"the arguments of {call.name} must be one JSON object, not {call.arguments!r:.200}"
        try:
            InputSchema(offered.parameters).check(call.arguments, "arguments")
        except Problem as problem:
            return f"the arguments do not fit the schema of {call.name}: {problem.detail}"
        return None


async def open_toolset(config: AgentConfig, registry: ToolRegistry, *, top_level: bool) -> Toolset:
    """The agent's tools; one that cannot be offered now is left out, and a notice says why."""
    internal = internal_tools(config, top_level=top_level)
    tools = {tool.name: tool for tool in (*internal, *config.tools)}
    offered, notices = {}, []
    for tool in tools.values():
        try:
            seen = await _offered(tool, registry)
        except ToolError as error:
            notices.append(f"tool {tool.name} is not offered in this turn: {error}")
            _log.warning("%s", notices[-1])
            continue
        if seen is not None:
            offered[tool.name] = replace(seen, name=tool.name)
    return Toolset(tools, offered, tuple(notices), top_level)


async def _offered(tool: Tool, registry: ToolRegistry) -> Offered | None:
    if tool.type == "client":
        parameters = tool.spec.get("input_schema") or NO_PARAMETERS
        return Offered(tool.name, tool.description, parameters)
    try:
        return await registry.offered(tool)
    except ToolError:
        raise
    except Exception as error:
        _log.exception("tool %s has failed", tool.name)
        raise ToolError("it failed in the engine, whose log says why") from error
