"""Which internal tools an agent's switches mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .tools.categories import CATEGORIES
from .tools.runner import Tool

if TYPE_CHECKING:
    from .configuration import AgentConfig


def internal_tools(config: AgentConfig, *, top_level: bool) -> list[Tool]:
    """The tools; those that show something to a person are for chats that have one."""
    return [
        Tool(name=operation, type="internal", spec=_spec(config, category.id, operation))
        for category in CATEGORIES
        if category.id in config.internal and (top_level or category.scope == "all")
        for operation in category.tools
    ]


def _spec(config: AgentConfig, category: str, operation: str) -> dict[str, Any]:
    known: Mapping[str, dict[str, Any]] = {
        "finish": {"output_schema": config.output_schema},
        "skills": {"skills": list(config.skills)},
    }
    return {"category": category, "operation": operation, **known.get(category, {})}
