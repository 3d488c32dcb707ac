"""Agents and what they speak in, under their old path."""

from inferencesh_agents.agents import Agent, AsyncAgent
from inferencesh_agents.config import AgentConfig
from inferencesh_agents.tools.call import ToolCallInfo
from inferencesh_core.types import ChatDTO, ChatMessageDTO, FileRef, ToolInvocationStatus, ToolType

from .stream_manager import StreamManager

__all__ = [
    "Agent",
    "AgentConfig",
    "AsyncAgent",
    "ChatDTO",
    "ChatMessageDTO",
    "FileRef",
    "StreamManager",
    "ToolCallInfo",
    "ToolInvocationStatus",
    "ToolType",
]
