"""JSON Schemas of tool parameters, written short.

obj({"city": string("City name"), "days": optional(integer("1 to 14")), "unit": enum_of(["C", "F"])})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema; a mark of our own, ``"optional": true``, says that the parameter may be left out."""


def string(description: str | None = None) -> Schema:
    """A text."""
    return _typed("string", description)


def number(description: str | None = None) -> Schema:
    """A number, whole or not."""
    return _typed("number", description)


def integer(description: str | None = None) -> Schema:
    """A whole number."""
    return _typed("integer", description)


def boolean(description: str | None = None) -> Schema:
    """True or false."""
    return _typed("boolean", description)


def enum_of(values: Sequence[str], description: str | None = None) -> Schema:
    """One of these texts."""
    return _typed("string", description, enum=list(values))


def obj(properties: Mapping[str, Schema], description: str | None = None) -> Schema:
    """An object; its properties are required unless marked `optional`."""
    required = required_of(properties)
    fields = {"properties": settled_all(properties), **({"required": required} if required else {})}
    return _typed("object", description, **fields)


def array(items: Schema, description: str | None = None) -> Schema:
    """A list of items of one schema."""
    return _typed("array", description, items=settled(items))


def optional(schema: Mapping[str, Any]) -> Schema:
    """Mark a parameter or a property as one that may be left out."""
    return {**schema, "optional": True}


def parameters(properties: Mapping[str, Schema]) -> Schema:
    """The schema of a tool's arguments, which says ``required`` even of none."""
    return {
        "type": "object",
        "properties": settled_all(properties),
        "required": required_of(properties),
    }


def required_of(properties: Mapping[str, Schema]) -> list[str]:
    """The names of the properties that carry no mark."""
    return [name for name, schema in properties.items() if not _is_optional(schema)]


def settled_all(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without their marks."""
    return {name: settled(one) if isinstance(one, Mapping) else one for name, one in properties.items()}


def settled(schema: Mapping[str, Any]) -> Schema:
    """A schema without marks at any depth; where it has some and no ``required``, they become that."""
    plain = {key: value for key, value in schema.items() if key != "optional" or not _is_optional(schema)}
    if isinstance(properties := plain.get("properties"), Mapping):
        plain["properties"] = settled_all(properties)
        if any(map(_is_optional, properties.values())):
            plain.setdefault("required", required_of(properties))
    if isinstance(items := plain.get("items"), Mapping):
        plain["items"] = settled(items)
    return plain


def _is_optional(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("optional") is True


def _typed(kind: str, description: str | None, **more: Any) -> Schema:
    described = {} if description is None else {"description": description}
    return {"type": kind, **more, **described}
