"""An agent's configuration (`AgentConfigInput`, wire protocol 5.3), read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..domain.problems import Problem
from .tools.runner import Tool

_TOOL_TYPES = ("client", "app", "agent", "hook", "http", "call", "mcp", "internal")
_SAMPLING = ("temperature", "max_tokens")


@dataclass(frozen=True, kw_only=True)
class ContextVariable:
    """A variable whose values chats are given."""

    name: str
    required: bool = False
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Who answers, how, and with which tools.

    Attributes:
        core_app: The members of a run request that name the app which is the model.
        setup: For that app.
        input: Defaults of its input, such as temperature.
        internal: The kinds of internal tools that are switched on, by name.
        output_schema: What `finish` takes; None for a text.
        max_steps: The agent's own limit of model calls in one turn; None for that of the engine.
    """

    core_app: Mapping[str, str]
    setup: Mapping[str, Any] | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    description: str = ""
    system_prompt: str = ""
    tools: tuple[Tool, ...] = ()
    internal: tuple[str, ...] = ()
    skills: tuple[Mapping[str, Any], ...] = ()
    context: tuple[ContextVariable, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    max_steps: int | None = None

    def context_of(self, given: Mapping[str, Any] | None) -> dict[str, str]:
        """The context of a new chat; raises Problem 400 naming a required variable that is missing."""
        defaults = {one.name: one.default for one in self.context if one.default is not None}
        values = {**defaults, **_texts(given or {}, "context")}
        missing = [one.name for one in self.context if one.required and not values.get(one.name)]
        if missing:
            names = ", ".join(missing)
            detail = f"the agent needs context variables that are missing: {names}; give them in context"
            raise Problem(400, "missing_context", detail, missing=missing)
        return values


def parse_agent(config: Mapping[str, Any]) -> AgentConfig:
    """The configuration; raises Problem 422 naming the member that is wrong."""
    core_app = _member(config, "core_app", dict) or {}
    tools = tuple(_tools(config))
    return AgentConfig(
        core_app=_core_app(core_app, config),
        setup=_member(core_app, "setup", dict, "core_app."),
        input={**_sampling(config), **(_member(core_app, "input", dict, "core_app.") or {})},
        name=_member(config, "name", str) or "",
        description=_member(config, "description", str) or "",
        system_prompt=_member(config, "system_prompt", str) or "",
        tools=tools,
        internal=_internal(config),
        skills=tuple(_objects(config, "skills")),
        context=tuple(_context_variable(one) for one in _objects(config, "context")),
        output_schema=_member(config, "output_schema", dict),
        max_steps=_positive(config, "max_tool_iterations"),
    )


def _core_app(core_app: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    named = {"app": core_app.get("ref") or config.get("core_app_ref"), "app_id": core_app.get("id")}
    chosen = {**named, "version_id": core_app.get("version_id")}
    given = {name: value for name, value in chosen.items() if value}
    if not given or not all(isinstance(value, str) for value in given.values()):
        detail = "core_app.ref must name the app that is the agent's model, like namespace/name"
        raise Problem(422, "invalid_agent_config", detail, field="core_app.ref")
    return given


def _sampling(config: Mapping[str, Any]) -> dict[str, Any]:
    """Members that older documents show at the top level."""
    return {name: config[name] for name in _SAMPLING if config.get(name) is not None}


def _internal(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What is switched on; `finish` and `skills` are also when there is something for them to do."""
    switches = _member(config, "internal_tools", dict) or {}
    implied = {"finish": bool(config.get("output_schema")), "skills": bool(config.get("skills"))}
    return tuple(name for name, on in {**implied, **switches}.items() if on is True)


def _tools(config: Mapping[str, Any]) -> Iterable[Tool]:
    seen: set[str] = set()
    for index, one in enumerate(_objects(config, "tools")):
        tool = _tool(one, f"tools[{index}]")
        if tool.name in seen:
            raise _wrong(f"tools[{index}].name", f"one of its own: there are two tools {tool.name!r}", None)
        seen.add(tool.name)
        yield tool


def _tool(one: Mapping[str, Any], place: str) -> Tool:
    name, kind = one.get("name"), one.get("type")
    if not (isinstance(name, str) and name):
        raise _wrong(f"{place}.name", "the tool's name", name)
    if not (isinstance(kind, str) and kind):
        raise _wrong(f"{place}.type", f"one of {', '.join(_TOOL_TYPES)}", kind)
    # `http` and `call` are one kind by two names (wire protocol 5.4).
    named = ("http", "call") if kind in ("http", "call") else (kind,)
    spec = next((one[each] for each in named if one.get(each) is not None), None)
    if not isinstance(spec, dict):
        raise _wrong(f"{place}.{kind}", f"an object that says what tool {name!r} does", spec)
    return Tool(
        name=name,
        type=kind,
        description=_member(one, "description", str, f"{place}.") or "",
        display_name=_member(one, "display_name", str, f"{place}.") or "",
        require_approval=one.get("require_approval") is True,
        spec=spec,
    )


def _context_variable(one: Mapping[str, Any]) -> ContextVariable:
    name, default = one.get("name"), one.get("default")
    if not (isinstance(name, str) and name):
        raise _wrong("context[].name", "the variable's name", name)
    return ContextVariable(
        name=name, required=one.get("required") is True, default=None if default is None else str(default)
    )


def _texts(values: Any, name: str) -> dict[str, str]:
    if not isinstance(values, dict):
        raise _wrong(name, "an object of texts", values)
    for key, value in values.items():
        if not isinstance(value, str):
            raise _wrong(f"{name}.{key}", "a text", value)
    return values


def _objects(config: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The list's objects; lists of generated types may hold nulls, which say nothing."""
    given = _member(config, name, list) or []
    values = [one for one in given if one is not None]
    for one in values:
        if not isinstance(one, dict):
            raise _wrong(name, "a list of objects", one)
    return values


def _positive(config: Mapping[str, Any], name: str) -> int | None:
    value: int | None = _member(config, name, int)
    if value is not None and value < 1:
        raise _wrong(name, "a number from 1 on", value)
    return value


def _member(values: Mapping[str, Any], name: str, kind: type, place: str = "") -> Any:
    value = values.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _wrong(f"{place}{name}", _KINDS[kind], value)
    return value


_KINDS: Mapping[Any, str] = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def _wrong(name: str, expected: str, value: Any) -> Problem:
    not_this = "" if value is None else f", not {value!r:.100}"
    return Problem(422, "invalid_agent_config", f"{name} must be {expected}{not_this}", field=name)
