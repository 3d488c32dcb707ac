"""The file of an agent template, read into the configuration that runs take (wire protocol 5.3 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..documents import check_names, reference, required_text, texts
from ..input_schema import schema_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inferencesh_app.yaml_document import Spot

_IDENTITY = ("namespace", "version")
_INTERNAL = ("plan", "memory", "widget", "finish", "skills", "host_context", "meta", "artifact", "spawn")
_SCHEMAS = ("input_schema", "output_schema")
_HTTP = ("url", "method", "auth", "headers", *_SCHEMAS)

# The members of the object that is named like a tool's type; of the first of them there must be one.
_TOOL_MEMBERS = {
    "app": ("ref", "id", "version_id", "function", "session_enabled", "setup", "input"),
    "agent": ("ref", "id", "version_id"),
    "hook": ("url", "secret", *_SCHEMAS),
    "http": _HTTP,
    "call": _HTTP,
    "mcp": ("integration_id", "tool_name"),
    "client": _SCHEMAS,
    "internal": ("category", "operation"),
}
_REFERRING = ("app", "agent")


def agent_config(top: Spot) -> dict[str, Any]:
    """The configuration in an agent file, without namespace and version; raises YamlProblem."""
    check_names(top, *_IDENTITY, *_READERS)
    required_text(top, "name", "assistant")
    if not top["core_app"].plain():
        raise top.problem("core_app is missing; add a line like 'core_app: inferencesh/scripted'")
    given = [name for name, spot in top.members() if name in _READERS and spot.plain() is not None]
    return {name: _READERS[name](top[name]) for name in given}


def _text(spot: Spot) -> str:
    return spot.text()


def _texts(spot: Spot) -> list[str]:
    return list(texts(spot))


def _count(spot: Spot) -> int:
    number = spot.number()
    if number < 1 or number != int(number):
        raise spot.problem(f"{spot.name} must be a whole number from 1 up, not {spot.text()}")
    return int(number)


def _core_app(spot: Spot) -> dict[str, Any]:
    if isinstance(spot.plain(), str):
        return {"ref": _reference(spot)}
    check_names(spot, "ref", "id", "version_id", "setup", "input")
    if not any(spot[name].text() for name in ("ref", "id", "version_id")):
        raise spot.problem("core_app names no app; add a line like 'ref: inferencesh/scripted'")
    if spot["ref"].text():
        _reference(spot["ref"])
    for name in ("setup", "input"):
        spot[name].mapping()
    return spot.mapping()


def _reference(spot: Spot) -> str:
    return str(reference(spot.text(), spot))


def _tools(spot: Spot) -> list[dict[str, Any]]:
    tools: dict[str, dict[str, Any]] = {}
    for item in spot.items():
        tool = _tool(item)
        if tool["name"] in tools:
            raise item.problem(f"two tools are called {tool['name']}; rename one of them")
        tools[tool["name"]] = tool
    return list(tools.values())


def _tool(item: Spot) -> dict[str, Any]:
    check_names(item, "name", "type", "display_name", "description", "require_approval", *_TOOL_MEMBERS)
    name = required_text(item, "name", "get_weather")
    kinds = [name for name, _ in item.members() if name in _TOOL_MEMBERS]
    kind = item["type"].text() or (kinds[0] if len(kinds) == 1 else "")
    if kinds != [kind]:
        raise item.problem(
            f"tool {name} needs exactly one of {', '.join(_TOOL_MEMBERS)}, named like its type, "
            f"and has {', '.join(kinds) or 'none'}"
        )
    return {
        "name": name,
        "display_name": item["display_name"].text() or name,
        "description": item["description"].text(),
        "type": kind,
        "require_approval": item["require_approval"].flag(),
        kind: _tool_object(item[kind], kind),
    }


def _tool_object(spot: Spot, kind: str) -> dict[str, Any]:
    if kind in _REFERRING and isinstance(spot.plain(), str):
        return {"ref": _reference(spot)}
    known = _TOOL_MEMBERS[kind]
    check_names(spot, *known)
    if kind in _REFERRING and not spot["id"].text():
        _reference(spot["ref"])
    elif kind not in {"client", *_REFERRING}:
        required_text(spot, known[0], "...")
    for name in _SCHEMAS:
        _schema(spot[name])
    return spot.mapping()


def _schema(spot: Spot) -> dict[str, Any]:
    schema = spot.mapping()
    if schema and (fault := schema_fault(schema)) is not None:
        raise spot.problem(f"{spot.name} is no JSON Schema: {fault}")
    return schema


def _skills(spot: Spot) -> list[dict[str, Any]]:
    return [_skill(item) for item in spot.items()]


def _skill(item: Spot) -> dict[str, Any]:
    check_names(item, "name", "description", "skill_id", "version_id", "url", "content", "preload")
    required_text(item, "name", "house-style")
    item["preload"].flag()
    return item.mapping()


def _context(spot: Spot) -> list[dict[str, Any]]:
    return [_variable(item) for item in spot.items()]


def _variable(item: Spot) -> dict[str, Any]:
    check_names(item, "name", "description", "required", "default")
    variable: dict[str, Any] = {
        "name": required_text(item, "name", "tenant_id"),
        "description": item["description"].text(),
        "required": item["required"].flag(),
    }
    # Text, however it is written: the values of context variables are.
    return variable | ({"default": item["default"].text()} if item["default"].plain() is not None else {})


def _internal_tools(spot: Spot) -> dict[str, bool]:
    check_names(spot, *_INTERNAL)
    return {name: value.flag() for name, value in spot.members()}


_READERS: Mapping[str, Callable[[Spot], Any]] = {
    "name": _text,
    "description": _text,
    "system_prompt": _text,
    "example_prompts": _texts,
    "core_app": _core_app,
    "tools": _tools,
    "skills": _skills,
    "context": _context,
    "internal_tools": _internal_tools,
    "output_schema": _schema,
    "max_tool_iterations": _count,
}
