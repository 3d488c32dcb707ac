"""Agents of the inference.sh SDK: tools that run themselves, answers to stream, structured output.

    agent = client.agents.create({"core_app": {"ref": "namespace/model"}, "tools": [get_weather]})
    print(agent.send_message("What is the weather in Paris?")["content"])

Installing the package is enough: clients find it and have ``client.agents`` and ``client.agent``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from .agents import Agent as Agent
    from .agents import AgentsAPI as AgentsAPI
    from .agents import AsyncAgent as AsyncAgent
    from .agents import AsyncAgentsAPI as AsyncAgentsAPI
    from .agents import AsyncOpenAgent as AsyncOpenAgent
    from .agents import OpenAgent as OpenAgent
    from .approvals import ApprovalRequest as ApprovalRequest
    from .approvals import Decision as Decision
    from .approvals import Rejection as Rejection
    from .config import AgentConfig as AgentConfig
    from .deltas import Delta as Delta
    from .deltas import ReasoningDelta as ReasoningDelta
    from .deltas import TextDelta as TextDelta
    from .deltas import ToolCalled as ToolCalled
    from .deltas import ToolReturned as ToolReturned
    from .deltas import TurnDone as TurnDone
    from .errors import AgentAPIError as AgentAPIError
    from .errors import AgentError as AgentError
    from .errors import ChatNotFoundError as ChatNotFoundError
    from .errors import OutputError as OutputError
    from .errors import TurnCancelledError as TurnCancelledError
    from .errors import TurnFailedError as TurnFailedError
    from .errors import TurnTimeoutError as TurnTimeoutError
    from .tools import AgentToolBuilder as AgentToolBuilder
    from .tools import AppToolBuilder as AppToolBuilder
    from .tools import ClientTool as ClientTool
    from .tools import ClientToolBuilder as ClientToolBuilder
    from .tools import ClientToolHandler as ClientToolHandler
    from .tools import HTTPToolBuilder as HTTPToolBuilder
    from .tools import InternalToolsBuilder as InternalToolsBuilder
    from .tools import MCPToolBuilder as MCPToolBuilder
    from .tools import ToolCallInfo as ToolCallInfo
    from .tools import WebhookToolBuilder as WebhookToolBuilder
    from .tools import agent_tool as agent_tool
    from .tools import app_tool as app_tool
    from .tools import array as array
    from .tools import boolean as boolean
    from .tools import call_tool as call_tool
    from .tools import enum_of as enum_of
    from .tools import function_tool as function_tool
    from .tools import http_tool as http_tool
    from .tools import integer as integer
    from .tools import internal_tools as internal_tools
    from .tools import mcp_tool as mcp_tool
    from .tools import number as number
    from .tools import obj as obj
    from .tools import optional as optional
    from .tools import string as string
    from .tools import tool as tool
    from .tools import webhook_tool as webhook_tool
    from .turns import SendOptions as SendOptions

else:
    __getattr__ = lazy_names(
        __name__,
        {
            ".agents": "Agent AgentsAPI AsyncAgent AsyncAgentsAPI AsyncOpenAgent OpenAgent",
            ".approvals": "ApprovalRequest Decision Rejection",
            ".config": "AgentConfig",
            ".deltas": "Delta ReasoningDelta TextDelta ToolCalled ToolReturned TurnDone",
            ".errors": (
                "AgentAPIError AgentError ChatNotFoundError OutputError TurnCancelledError "
                "TurnFailedError TurnTimeoutError"
            ),
            ".tools": (
                "AgentToolBuilder AppToolBuilder ClientTool ClientToolBuilder ClientToolHandler "
                "HTTPToolBuilder InternalToolsBuilder MCPToolBuilder ToolCallInfo "
                "WebhookToolBuilder agent_tool app_tool array boolean call_tool enum_of "
                "function_tool http_tool integer internal_tools mcp_tool number obj optional "
                "string tool webhook_tool"
            ),
            ".turns": "SendOptions",
        },
    )

__all__ = [
    "Agent",
    "AgentAPIError",
    "AgentConfig",
    "AgentError",
    "AgentToolBuilder",
    "AgentsAPI",
    "AppToolBuilder",
    "ApprovalRequest",
    "AsyncAgent",
    "AsyncAgentsAPI",
    "AsyncOpenAgent",
    "ChatNotFoundError",
    "ClientTool",
    "ClientToolBuilder",
    "ClientToolHandler",
    "Decision",
    "Delta",
    "HTTPToolBuilder",
    "InternalToolsBuilder",
    "MCPToolBuilder",
    "OpenAgent",
    "OutputError",
    "ReasoningDelta",
    "Rejection",
    "SendOptions",
    "TextDelta",
    "ToolCallInfo",
    "ToolCalled",
    "ToolReturned",
    "TurnCancelledError",
    "TurnDone",
    "TurnFailedError",
    "TurnTimeoutError",
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


def __dir__() -> list[str]:
    return __all__
