"""The tools of an agent during a turn: what its model sees of them, and whether a call is one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Toolset:
    """Tools by name, and those of them that are offered."""

    tools: Mapping[str, Tool]
    offered: Mapping[str, Offered]

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
        client = tool.type == "client"
        return replace(invocation, status=InvocationStatus.AWAITING_INPUT) if client else invocation

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
    """The agent's tools; one that cannot be offered now is left out, and the log says why."""
    internal = internal_tools(config, top_level=top_level)
    tools = {tool.name: tool for tool in (*internal, *config.tools)}
    offered = {}
    for tool in tools.values():
        seen = await _offered(tool, registry)
        if seen is not None:
            offered[tool.name] = replace(seen, name=tool.name)
    return Toolset(tools, offered)


async def _offered(tool: Tool, registry: ToolRegistry) -> Offered | None:
    if tool.type == "client":
        parameters = tool.spec.get("input_schema") or NO_PARAMETERS
        return Offered(tool.name, tool.description, parameters)
    try:
        return await registry.offered(tool)
    except ToolError as error:
        _log.warning("tool %s is not offered in this turn: %s", tool.name, error)
    except Exception:  # noqa: BLE001 - runners are plugins, too
        _log.exception("tool %s is not offered in this turn", tool.name)
    return None
