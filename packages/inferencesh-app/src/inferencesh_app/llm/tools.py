"""Tool definitions and tool calls, in the shape chat completion APIs speak."""

import json
from copy import deepcopy
from typing import Any


def build_tools(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Definitions as `{"type": "function", "function": {...}}`, each with an object as its parameters.

    Takes bare functions (`{"name": ..., "parameters": ...}`) as well as wrapped ones and changes neither.
    None when there are no tools: an empty list is refused by several providers.
    """
    return [_definition(deepcopy(tool)) for tool in tools] if tools else None


def _definition(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") == "function":
        del tool["type"]
    function: dict[str, Any] = tool.get("function") or tool
    parameters: dict[str, Any] = function.get("parameters") or {"type": "object"}
    parameters["properties"] = parameters.get("properties") or {}
    return {"type": "function", "function": {**function, "parameters": parameters}}


def arguments_text(arguments: Any) -> str:
    """Arguments of a call as JSON text, which providers expect; text stays as it is, None is none at all."""
    if arguments is None:
        return "{}"
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


class ToolCallDeltas:
    """Puts tool calls together from the pieces in which a model streams them.

    Attributes:
        calls: The calls so far, in the order in which they began; arguments are JSON text, which is
            complete once the stream has ended.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._by_index: dict[int, dict[str, Any]] = {}

    def add(self, delta: dict[str, Any]) -> None:
        """Take in one piece: the beginning of a call or more of its arguments."""
        call = self._continued(delta) or self._begun(delta)
        function = delta.get("function") or {}
        call["id"] = delta.get("id") or call["id"]
        call["function"]["name"] = function.get("name") or call["function"]["name"]
        if (more := function.get("arguments")) is not None:
            call["function"]["arguments"] += arguments_text(more)

    def _continued(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        index, call_id = delta.get("index"), delta.get("id")
        if index is None:
            return self._with_id(call_id) if call_id else self._last_unless_named(delta)
        call = self._by_index.get(index)
        # Some servers give all calls the index 0; another id is another call.
        return None if call and call_id and call["id"] not in {"", call_id} else call

    def _with_id(self, call_id: str) -> dict[str, Any] | None:
        return next((call for call in self.calls if call["id"] == call_id), None)

    def _last_unless_named(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        # With neither index nor id, a name is the only sign that a new call begins.
        named = (delta.get("function") or {}).get("name")
        return self.calls[-1] if self.calls and not named else None

    def _begun(self, delta: dict[str, Any]) -> dict[str, Any]:
        kind = delta.get("type") or "function"
        call = {"id": "", "type": kind, "function": {"name": "", "arguments": ""}}
        self.calls.append(call)
        if (index := delta.get("index")) is not None:
            self._by_index[index] = call
        return call
