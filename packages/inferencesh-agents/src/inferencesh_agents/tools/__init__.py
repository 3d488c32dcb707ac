"""Tools of agents: how they are written, and how those with handlers are run."""

from __future__ import annotations

from .builders import (
    AgentToolBuilder,
    AppToolBuilder,
    ClientToolBuilder,
    HTTPToolBuilder,
    MCPToolBuilder,
    ToolBuilder,
    WebhookToolBuilder,
    agent_tool,
    app_tool,
    call_tool,
    http_tool,
    mcp_tool,
    tool,
    webhook_tool,
)
from .call import ToolCallInfo
from .client_tool import ClientTool, ClientToolHandler
from .functions import function_tool
from .internal import InternalToolsBuilder, internal_tools
from .schema import array, boolean, enum_of, integer, number, obj, optional, string
from .toolbox import ToolAnswer, Toolbox

__all__ = [
    "AgentToolBuilder",
    "AppToolBuilder",
    "ClientTool",
    "ClientToolBuilder",
    "ClientToolHandler",
    "HTTPToolBuilder",
    "InternalToolsBuilder",
    "MCPToolBuilder",
    "ToolAnswer",
    "ToolBuilder",
    "ToolCallInfo",
    "Toolbox",
    "WebhookToolBuilder",
    "agent_tool",
    "app_tool",
    "array",
    "boolean",
    "call_tool",
    "enum_of",
    "function_tool",
    "http_tool",
    "integer",
    "internal_tools",
    "mcp_tool",
    "number",
    "obj",
    "optional",
    "string",
    "tool",
    "webhook_tool",
]
