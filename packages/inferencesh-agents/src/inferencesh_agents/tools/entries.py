"""One thing of a caller's ``tools``, told apart by what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .builders import ToolBuilder
from .client_tool import client_tool
from .functions import function_tool

if TYPE_CHECKING:
    from inferencesh_core.types import AgentTool

    from .client_tool import ClientToolHandler


@dataclass(frozen=True)
class Entry:
    """A tool: its schema, JSON of our own; its handler and seconds, ``None`` when it has none."""

    schema: AgentTool
    handler: ClientToolHandler | None = None
    timeout: float | None = None


def entries_of(tools: Iterable[Any]) -> dict[str, Entry]:
    """Give the entries that tools make, by name, in their order.

    Raises:
        TypeError: Something is no tool, has no JSON form, or its handler cannot be called.
        ValueError: A tool has no name, or that of another.
    """
    entries: dict[str, Entry] = {}
    for entry in map(_entry_of, tools):
        name = entry.schema.get("name", "")
        if name in entries:
            raise ValueError(f"two tools are called {name!r}: the model could not tell them apart")
        entries[name] = entry
    return entries


def _entry_of(tool: Any) -> Entry:
    if isinstance(tool, ToolBuilder):
        return Entry(_json_schema(tool.build()))
    if isinstance(tool, Mapping):
        return _handled(tool) if "schema" in tool or "handler" in tool else Entry(_json_schema(tool))
    if callable(tool):
        return _handled(function_tool(tool))
    raise TypeError(
        f"{tool!r:.100} is no tool: make one with tool(...), give a typed function, or an AgentTool mapping"
    )


def _handled(tool: Mapping[str, Any]) -> Entry:
    schema = tool.get("schema")
    if isinstance(schema, ToolBuilder):
        schema = schema.build()
    if not isinstance(schema, Mapping):
        raise TypeError(f"a client tool has a schema and a handler; this schema is {schema!r:.100}")
    checked = client_tool(_json_schema(schema), tool.get("handler"), tool.get("timeout"))
    return Entry(checked["schema"], checked["handler"], checked.get("timeout"))


def _json_schema(tool: Mapping[str, Any]) -> AgentTool:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"a tool needs a name, a text; this one has {name!r:.100}: {dict(tool)!r:.200}")
    try:
        return cast("AgentTool", json.loads(json.dumps(dict(tool), allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"tool {name!r} has no JSON form: {error}") from error
