"""Which agent is meant, as the record a chat keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..domain.chat import ChatAgent
from ..domain.problems import Problem
from ..input_schema import schema_fault
from .configuration import parse_agent
from .internal_tools import internal_tools

if TYPE_CHECKING:
    from .configuration import AgentConfig
    from .requests import AgentChoice
    from .services import TurnServices

_PARAMETERS_IN = ("client", "http", "call", "hook")


def choose_agent(services: TurnServices, choice: AgentChoice) -> ChatAgent:
    """The agent, checked; raises the Problem of one that is not there or cannot work."""
    agent = _chosen(services, choice)
    config = parse_agent(agent.config)
    _check_names(config)
    _check_schemas(config)
    services.check_core_app(config.core_app)
    return agent


def _chosen(services: TurnServices, choice: AgentChoice) -> ChatAgent:
    if choice.config is not None:
        return ChatAgent(config=choice.config, name=choice.name or str(choice.config.get("name") or ""))
    template = services.catalog.find_agent(choice.ref, agent_id=choice.agent_id, version_id=choice.version_id)
    return ChatAgent(
        config=template.config,
        name=template.name,
        ref=template.ref,
        agent_id=template.agent_id,
        version_id=template.version_id,
    )


def _check_names(config: AgentConfig) -> None:
    names = {tool.name for tool in internal_tools(config, top_level=True)}
    for tool in config.tools:
        if tool.name in names:
            detail = f"tool {tool.name!r} has the name of an internal tool; rename it, or switch that one off"
            raise Problem(422, "invalid_agent_config", detail, field="tools")


def _check_schemas(config: AgentConfig) -> None:
    for tool in config.tools:
        schema = tool.spec.get("input_schema") if tool.type in _PARAMETERS_IN else None
        if schema is not None:
            _check_schema(schema, f"the input_schema of tool {tool.name}")
    if config.output_schema is not None:
        _check_schema(config.output_schema, "output_schema")


def _check_schema(schema: Any, what: str) -> None:
    if not isinstance(schema, Mapping):
        reason: str | None = f"it is {type(schema).__name__}, not an object"
    else:
        reason = schema_fault(schema)
    if reason is not None:
        raise Problem(422, "invalid_agent_config", f"{what} is no JSON Schema: {reason[:200]}")
