"""The kinds of tools an engine runs itself, by the word for them on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .agents import AgentRunner
from .apps import AppRunner
from .http import HttpRunner
from .internal import InternalRunner
from .mcp import McpRunner
from .webhooks import WebhookRunner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .runner import ToolRunnerFactory

_RUNNERS: Mapping[str, ToolRunnerFactory] = {
    "agent": AgentRunner,
    "app": AppRunner,
    "call": HttpRunner,
    "hook": WebhookRunner,
    "http": HttpRunner,
    "internal": InternalRunner,
    "mcp": McpRunner,
}


def runner_of(tool_type: str) -> ToolRunnerFactory | None:
    """What makes the runner of such tools; None for a type that is not the engine's."""
    return _RUNNERS.get(tool_type)
