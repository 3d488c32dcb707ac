"""Tools the engine has itself: a plan, a memory, widgets, skills, and `finish`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from .categories import CATEGORIES, RESULT, finish_parameters, internal_name, is_wrapped, skill_parameters
from .outbound import Outbound, OutboundRequest
from .runner import Invocation, Offered, Tool, ToolError, ToolOutcome

if TYPE_CHECKING:
    from .runner import Started, ToolServices

_Operation = Callable[[Invocation], Awaitable[ToolOutcome]]
_Data = Mapping[str, Any]

_DESCRIBED = {name: described for category in CATEGORIES for name, described in category.tools.items()}
_MAX_MEMORY_CHARS = 256 * 1024
_MAX_PLAN_STEPS = 200


class InternalRunner:
    """Runs them; what is to be remembered is part of the chat."""

    def __init__(self, services: ToolServices) -> None:
        self._chats = services.chats
        self._outbound = Outbound(services.config)
        self._operations: dict[str, _Operation] = {
            "plan_create": self._plan_create,
            "plan_update": self._plan_update,
            "plan_load": self._plan_load,
            "memory_set": self._memory_set,
            "memory_get": self._memory_get,
            "memory_getall": self._memory_getall,
            "widget": _widget,
            "finish": _finish,
            "skill_get": self._skill_get,
        }

    async def offered(self, tool: Tool) -> Offered | None:
        """Its schema; None for one that is not known here."""
        name, spec = internal_name(tool), tool.spec
        if name not in _DESCRIBED:
            return None
        description, parameters = _DESCRIBED[name]
        if name == "finish":
            parameters = finish_parameters(spec.get("output_schema"))
        if name == "skill_get":
            parameters = skill_parameters(spec.get("skills") or ())
        return Offered.of(tool, parameters, description)

    async def run(self, invocation: Invocation, _started: Started) -> ToolOutcome:
        """Do it."""
        operation = self._operations.get(internal_name(invocation.tool))
        if operation is None:
            raise ToolError(f"there is no internal tool {invocation.name}")
        return await operation(invocation)

    async def close(self) -> None:
        """Close its connections."""
        await self._outbound.close()

    async def _plan_create(self, call: Invocation) -> ToolOutcome:
        given = call.arguments["steps"]
        if len(given) > _MAX_PLAN_STEPS:
            raise ToolError(f"a plan has at most {_MAX_PLAN_STEPS} steps, not {len(given)}")
        steps = [_step(index, step) for index, step in enumerate(given, start=1)]
        await self._chats.update_agent_data(call.chat_id, lambda data: {**data, "plan_steps": steps})
        return _json(steps)

    async def _plan_update(self, call: Invocation) -> ToolOutcome:
        changed: list[Any] = []

        def change(data: _Data) -> dict[str, Any]:
            changed[:] = _updated(data.get("plan_steps") or [], call.arguments)
            return {**data, "plan_steps": list(changed)}

        await self._chats.update_agent_data(call.chat_id, change)
        return _json(changed)

    async def _plan_load(self, call: Invocation) -> ToolOutcome:
        return _json(self._chats.agent_data(call.chat_id).get("plan_steps") or [])

    async def _memory_set(self, call: Invocation) -> ToolOutcome:
        key, value = call.arguments["key"], call.arguments["value"]
        await self._chats.update_agent_data(call.chat_id, lambda data: _remembering(data, key, value))
        return ToolOutcome(text=f"remembered {key}")

    async def _memory_get(self, call: Invocation) -> ToolOutcome:
        memory, key = self._memory(call), call.arguments["key"]
        if key not in memory:
            known = ", ".join(sorted(memory)) or "nothing"
            raise ToolError(f"nothing is remembered as {key}; remembered: {known}")
        return ToolOutcome(text=memory[key])

    async def _memory_getall(self, call: Invocation) -> ToolOutcome:
        return _json(self._memory(call))

    def _memory(self, call: Invocation) -> Mapping[str, str]:
        memory: Mapping[str, str] = self._chats.agent_data(call.chat_id).get("memory") or {}
        return memory

    async def _skill_get(self, call: Invocation) -> ToolOutcome:
        skills = {skill["name"]: skill for skill in call.tool.spec.get("skills") or ()}
        name = call.arguments["name"]
        if name not in skills:
            raise ToolError(f"there is no skill {name}; there are: {', '.join(skills)}")
        if skills[name].get("content"):
            return ToolOutcome(text=skills[name]["content"])
        if not skills[name].get("url"):
            raise ToolError(f"skill {name} has neither content nor url, so this engine cannot give it")
        answer = await self._outbound.send(OutboundRequest("GET", skills[name]["url"], {}))
        if answer.status != 200:
            raise ToolError(f"skill {name} could not be loaded: HTTP {answer.status} {answer.reason}")
        return ToolOutcome(text=answer.text)


async def _widget(call: Invocation) -> ToolOutcome:
    if call.depth:
        raise ToolError("widgets are for agents that somebody talks to; answer in text")
    widget = {"type": "ui", "interactive": False, **call.arguments}
    return ToolOutcome(text="the widget is shown", widget=widget, awaits_input=bool(widget["interactive"]))


async def _finish(call: Invocation) -> ToolOutcome:
    wrapped = is_wrapped(call.tool.spec.get("output_schema"))
    output = call.arguments[RESULT] if wrapped else dict(call.arguments)
    return ToolOutcome(text="finished", output=output, ends_turn=True)


def _step(index: int, given: Mapping[str, Any]) -> dict[str, Any]:
    step = {"index": index, "title": given["title"], "description": given.get("description", "")}
    return {**step, "status": given.get("status", "pending")}


def _updated(steps: list[dict[str, Any]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    index = given["index"]
    if not 1 <= index <= len(steps):
        known = f"its steps are 1 to {len(steps)}" if steps else "there is no plan; call plan_create first"
        raise ToolError(f"the plan has no step {index}: {known}")
    return [{**step, **given} if step["index"] == index else step for step in steps]


def _remembering(data: _Data, key: str, value: str) -> dict[str, Any]:
    memory = {**(data.get("memory") or {}), key: value}
    size = sum(len(name) + len(text) for name, text in memory.items())
    if size > _MAX_MEMORY_CHARS:
        raise ToolError(f"the memory would be {size} characters; it has room for {_MAX_MEMORY_CHARS}")
    return {**data, "memory": memory}


def _json(value: Any) -> ToolOutcome:
    return ToolOutcome(text=json.dumps(value, ensure_ascii=False), data=value)
