"""Which tools the engine has itself, what models see of them, and which of them an agent is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .runner import NO_PARAMETERS, Tool

RESULT = "result"
"""The argument of `finish` that holds a result which is not an object."""

_TEXT = {"type": "string"}
_STATUS = {"type": "string", "enum": ["pending", "in_progress", "completed", "cancelled"]}

Described = tuple[str, Mapping[str, Any]]
"""What a tool is for, and its parameters."""


@dataclass(frozen=True)
class Category:
    """Tools that a configuration turns on together.

    Attributes:
        id: As in `internal_tools` of an agent's configuration.
        scope: `all`, or `top_level` for chats that somebody started.
    """

    id: str
    name: str
    description: str
    tools: Mapping[str, Described]
    scope: str = "all"

    def dto(self) -> dict[str, Any]:
        """As `GET /agents/internal-tools` tells it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "tools": list(self.tools),
            "scope": self.scope,
            "default_enabled": False,
        }


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _about(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "description": description}


_STEP = _object(("title",), title=_TEXT, description=_TEXT, status=_STATUS)

CATEGORIES = (
    Category(
        "plan",
        "Plan",
        "A list of steps the agent writes down and keeps up to date.",
        {
            "plan_create": (
                "Write down a plan; it replaces the one before.",
                _object(("steps",), steps={"type": "array", "items": _STEP, "minItems": 1}),
            ),
            "plan_update": (
                "Change one step of the plan, for instance its status.",
                _object(
                    ("index",),
                    index=_about("the number of the step; the first is 1", {"type": "integer", "minimum": 1}),
                    title=_TEXT,
                    description=_TEXT,
                    notes=_TEXT,
                    status=_STATUS,
                ),
            ),
            "plan_load": ("Read the plan.", NO_PARAMETERS),
        },
    ),
    Category(
        "memory",
        "Memory",
        "Texts the agent keeps for the length of the chat.",
        {
            "memory_set": (
                "Remember a text under a key.",
                _object(("key", "value"), key={**_TEXT, "minLength": 1}, value=_TEXT),
            ),
            "memory_get": ("Read what is remembered under a key.", _object(("key",), key=_TEXT)),
            "memory_getall": ("Read everything that is remembered.", NO_PARAMETERS),
        },
    ),
    Category(
        "widget",
        "Widget",
        "Shows the user something to look at or to fill in.",
        {
            "widget": (
                "Show the user a widget; of an interactive one the answer is the result.",
                _object(
                    ("title",),
                    title=_TEXT,
                    type={"type": "string", "enum": ["ui", "html"]},
                    interactive=_about("whether to wait for the user's answer", {"type": "boolean"}),
                    html=_TEXT,
                    json=_TEXT,
                    children={"type": "array", "items": {"type": "object"}},
                    actions={"type": "array", "items": {"type": "object"}},
                ),
            ),
        },
        scope="top_level",
    ),
    Category(
        "finish",
        "Finish",
        "Ends the work with a result; on without being asked for when there is an output_schema.",
        {"finish": ("End the work and give its result.", _object((RESULT,), result=_TEXT))},
    ),
    Category(
        "skills",
        "Skills",
        "Instructions to be read when they are needed; on without being asked for when there are skills.",
        {"skill_get": ("Read the instructions of a skill.", _object(("name",), name=_TEXT))},
    ),
)


def internal_name(tool: Tool) -> str:
    """What the engine calls a tool, whatever the agent calls it."""
    category, operation = tool.spec.get("category") or "", tool.spec.get("operation") or tool.name
    known = {name for each in CATEGORIES for name in each.tools}
    return operation if operation in known else f"{category.removesuffix('s')}_{operation}"


def finish_parameters(output_schema: Any) -> Mapping[str, Any]:
    """The parameters of `finish` for an output schema; None asks for a text.

    Arguments are an object, so an output of another kind is one of them: `is_wrapped` says so.
    """
    if not is_wrapped(output_schema):
        return output_schema or _object((RESULT,), result=_TEXT)
    inner = dict(output_schema) if isinstance(output_schema, Mapping) else {}
    # What the schema refers to by `#/$defs/...` has to stay at the top.
    definitions = {key: inner.pop(key) for key in ("$defs", "definitions") if key in inner}
    return {**_object((RESULT,), result=inner), **definitions}


def is_wrapped(output_schema: Any) -> bool:
    """Whether the output is the argument `result` of `finish`, not all arguments together."""
    if not output_schema:
        return False
    return not (isinstance(output_schema, Mapping) and output_schema.get("type") == "object")


def skill_parameters(skills: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The parameters of `skill_get`: the skills there are, and what each is for."""
    shown = "; ".join(f"{skill['name']}: {skill.get('description') or ''}" for skill in skills)
    names = [skill["name"] for skill in skills]
    return _object(("name",), name=_about(shown, {"type": "string", "enum": names}))
