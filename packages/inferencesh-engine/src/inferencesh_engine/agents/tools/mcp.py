"""Tools of type `mcp`: tools of the MCP servers that `engine.yml` declares."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from .mcp_server import Connection
from .runner import Offered, ToolError, ToolOutcome

if TYPE_CHECKING:
    from mcp.types import CallToolResult

    from ...settings import McpServerRule
    from .runner import Invocation, Started, Tool, ToolServices


class McpRunner:
    """Calls the tools of MCP servers; one connection to each, made when it is first needed."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services
        self._connections: dict[str, Connection] = {}

    async def offered(self, tool: Tool) -> Offered:
        """The schema the server gives."""
        connection, name = self._connection(tool), str(tool.spec.get("tool_name"))
        tools = await connection.tools()
        if name not in tools:
            known = ", ".join(sorted(tools)) or "none"
            raise ToolError(f"{connection.name} has no tool {name}; it has: {known}")
        return Offered.of(tool, tools[name].input_schema, tools[name].description or "")

    async def run(self, invocation: Invocation, _started: Started) -> ToolOutcome:
        """Call it; what the server calls an error is a failed result."""
        connection = self._connection(invocation.tool)
        name = str(invocation.tool.spec.get("tool_name"))
        answer = await connection.call(name, dict(invocation.arguments))
        return ToolOutcome(text=connection.scrubbed(_text(answer)), failed=answer.is_error)

    async def close(self) -> None:
        """Close the connections and end the servers that were started for them."""
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))

    def _connection(self, tool: Tool) -> Connection:
        identifier = tool.spec.get("integration_id") or ""
        rule = self._services.settings.mcp_servers.get(identifier)
        if rule is None:
            known = ", ".join(sorted(self._services.settings.mcp_servers)) or "none"
            raise ToolError(
                f"MCP server {identifier!r} is not connected; declare it in engine.yml: "
                f"mcp_servers: {{{identifier}: {{command: ...}} or {{url: ...}}}} (there are: {known})"
            )
        if identifier not in self._connections:
            self._connections[identifier] = self._made(identifier, rule)
        return self._connections[identifier]

    def _made(self, identifier: str, rule: McpServerRule) -> Connection:
        config = self._services.config
        return Connection(identifier, rule, config.secrets, config.tool_timeout_seconds)


def _text(answer: CallToolResult) -> str:
    if not answer.content and answer.structured_content is not None:
        return json.dumps(answer.structured_content, ensure_ascii=False)
    return "\n".join(_shown(block) for block in answer.content)


def _shown(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type in {"image", "audio"}:
        return f"({block.type} of type {block.mime_type}, {len(block.data)} characters of base64)"
    return str(block.model_dump_json(by_alias=True, exclude_none=True))
