"""What this package adds to inferencesh: ``client.agents``, ``client.agent``, and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_core.plugins import Namespace, hookimpl

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request
    from inferencesh_core.http.problems import Problem


@hookimpl
def inferencesh_namespaces() -> list[Namespace]:
    """Give ``client.agents``, and ``client.agent`` which takes a context."""
    return [
        Namespace("agents", _agents, _async_agents),
        Namespace("agent", _agent, _async_agent),
    ]


@hookimpl
def inferencesh_error(problem: Problem, request: Request) -> Exception | None:
    """Give the error of a call about an agent, a chat or a tool."""
    from .errors import agent_error  # noqa: PLC0415 - only failures need it

    return agent_error(problem, request)


def _agents(client: Any) -> object:
    from .agents import AgentsAPI  # noqa: PLC0415 - loaded when first used

    return AgentsAPI(client)


def _async_agents(client: Any) -> object:
    from .agents import AsyncAgentsAPI  # noqa: PLC0415 - loaded when first used

    return AsyncAgentsAPI(client)


def _agent(client: Any) -> object:
    from .agents import OpenAgent  # noqa: PLC0415 - loaded when first used

    return OpenAgent(client)


def _async_agent(client: Any) -> object:
    from .agents import AsyncOpenAgent  # noqa: PLC0415 - loaded when first used

    return AsyncOpenAgent(client)
