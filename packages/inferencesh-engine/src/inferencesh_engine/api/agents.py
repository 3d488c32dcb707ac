"""Agents: the templates that are served here (wire protocol 5.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.ownership import owned
from ..domain.views import short_id
from .lists import list_query
from .pages import page_of
from .routes import Route

if TYPE_CHECKING:
    from ..catalog import AgentTemplate
    from .call import Call


async def search(call: Call) -> Any:
    """A page of agents."""
    query = list_query(await call.json_object())
    items = [_agent_dto(template) for template in call.engine.catalog.agents()]
    return page_of(items, query, searched=("namespace", "name")).to_dto()


async def get(call: Call) -> Any:
    """An agent by its id."""
    return _agent_dto(call.engine.catalog.agent_by_id(agent_id=call.parameters["id"]))


async def get_by_name(call: Call) -> Any:
    """An agent by its namespace and name."""
    return _agent_dto(call.engine.catalog.agent(f"{call.parameters['namespace']}/{call.parameters['name']}"))


async def get_version(call: Call) -> Any:
    """A version of an agent; an engine has the one in the file."""
    template = call.engine.catalog.agent_by_id(
        agent_id=call.parameters["id"], version_id=call.parameters["version"]
    )
    return _version_dto(template)


async def internal_tools(_: Call) -> Any:
    """The tools that the engine itself has for agents."""
    from ..agents.tools.categories import CATEGORIES  # noqa: PLC0415 - few ask, and it brings what runs tools

    return [category.dto() for category in CATEGORIES]


def _agent_dto(template: AgentTemplate) -> dict[str, Any]:
    return {
        "id": template.agent_id,
        "short_id": short_id(template.agent_id),
        "deleted_at": None,
        **owned(),
        "namespace": template.namespace,
        "name": template.name,
        "images": {"card": "", "thumbnail": "", "banner": ""},
        "version_id": template.version_id,
        "version": _version_dto(template),
    }


_VERSION_MEMBERS: dict[str, Any] = {
    "description": "",
    "system_prompt": "",
    "example_prompts": [],
    "core_app": None,
    "tools": [],
    "skills": [],
    "context": [],
    "internal_tools": None,
    "output_schema": None,
}


def _version_dto(template: AgentTemplate) -> dict[str, Any]:
    members = {name: template.config.get(name, absent) for name, absent in _VERSION_MEMBERS.items()}
    return {
        "id": template.version_id,
        "short_id": short_id(template.version_id),
        "deleted_at": None,
        **owned(),
        **members,
    }


ROUTES = (
    Route("POST", "/agents/list", search, "List the agents"),
    Route("GET", "/agents/internal-tools", internal_tools, "List the tools the engine itself has"),
    Route("GET", "/agents/{id}", get, "Get an agent by id"),
    Route("GET", "/agents/{namespace}/{name}", get_by_name, "Get an agent by name"),
    Route("GET", "/agents/{id}/versions/{version}", get_version, "Get a version of an agent"),
)
