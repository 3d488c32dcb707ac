"""Where files stand inside a task's input or output, by its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from inferencesh_core.file_record import FILE_KEYS, is_file_record

Pointer: TypeAlias = tuple[str | int, ...]
Schema: TypeAlias = Mapping[str, Any]

NO_FILES = "x-holds-files"
"""False in a schema: nothing in the value is a file, whatever it looks like; it is somebody's data."""

_FILE_KEYS = frozenset(FILE_KEYS)
_MAX_DEPTH = 200
_IGNORED: Schema = {"type": "null"}
_CHOOSING = frozenset({"$ref", "anyOf", "oneOf", "allOf"})
_DESCRIBING = frozenset({"type", "properties", "items", "prefixItems", "enum", "const", "format"})


@dataclass(frozen=True)
class Place:
    """A value that is a file, or may be one.

    Attributes:
        pointer: The keys and indexes that lead to it.
        certain: Whether the schema allows nothing but a file there. False where a text would do as well, and
            where the schema says nothing.
    """

    pointer: Pointer
    value: Any
    certain: bool

    def __str__(self) -> str:
        return path_text(self.pointer)


def path_text(parts: Iterable[str | int]) -> str:
    """Keys and indexes as they follow the name of a value: `.pages[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def file_places(value: Any, schema: Schema | None) -> list[Place]:
    """Every file in the value. Without a schema, objects shaped like files and `file:` addresses count."""
    root = schema or {}
    return list(_found(value, _alternatives(root, root), root, ()))


def may_hold_files(schema: Schema) -> bool:
    """Whether `file_places` can find anything in values of this schema. What it says nothing about may."""
    return _may_hold(schema, schema, set())


def with_replaced(value: Any, replacements: Mapping[Pointer, Any]) -> Any:
    """The value with other values at these pointers; what is on no way to them is shared, not copied."""
    for pointer, new in replacements.items():
        value = _replaced(value, pointer, new)
    return value


def names_paths(value: Any) -> bool:
    """Whether any object in the value has a `path`: without one there is no file of this machine."""
    if isinstance(value, dict):
        return "path" in value or any(map(names_paths, value.values()))
    return isinstance(value, list) and any(map(names_paths, value))


def is_file_shaped(value: Any) -> bool:
    """Whether an object has the members of a file and no others."""
    return isinstance(value, dict) and value.keys() <= _FILE_KEYS and ("path" in value or "uri" in value)


def _found(value: Any, schemas: list[Schema], root: Schema, pointer: Pointer) -> Iterator[Place]:
    if len(pointer) > _MAX_DEPTH or value is None or any(map(_holds_none, schemas)):
        return
    place = _place(value, schemas, pointer)
    if place is not None:
        yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _found(item, _members(schemas, key, root), root, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, _items(schemas, index, root), root, (*pointer, index))


def _place(value: Any, schemas: list[Schema], pointer: Pointer) -> Place | None:
    if not isinstance(value, (str, dict)):
        return None
    if any(schema.get("format") == "file" for schema in schemas):
        text_too = any(
            schema.get("type") == "string" and schema.get("format") != "file" for schema in schemas
        )
        fits = isinstance(value, str) or is_file_shaped(value) or is_file_record(value)
        return Place(pointer, value, not text_too) if fits else None
    if any(_DESCRIBING & schema.keys() for schema in schemas):
        return None
    looks_so = is_file_shaped(value) or (isinstance(value, str) and is_file_address(value))
    return Place(pointer, value, certain=False) if looks_so else None


def is_file_address(text: str) -> bool:
    """Whether a text is a `file:` address and nothing else."""
    return text[:6].lower() == "file:/" and not any(character.isspace() for character in text)


def _members(schemas: list[Schema], key: str, root: Schema) -> list[Schema]:
    """What is known of a member. One that is not mentioned where no others are let in is ignored there."""
    found: list[Schema] = []
    for schema in schemas:
        members = schema.get("properties", {})
        rest = schema.get("additionalProperties", _IGNORED if members else None)
        member = members.get(key, rest)
        if isinstance(member, dict):
            found += _alternatives(member, root)
    return found


def _may_hold(schema: Schema, root: Schema, seen: set[int]) -> bool:
    if isinstance(schema, dict) and _holds_none(schema):
        return False
    for option in _alternatives(schema, root):
        if id(option) in seen:
            continue
        seen.add(id(option))
        if option.get("format") == "file" or not (_DESCRIBING | _CHOOSING) & option.keys():
            return True
        if any(_may_hold(inner, root, seen) for inner in _inner(option)):
            return True
    return False


def _holds_none(schema: Schema) -> bool:
    return schema.get(NO_FILES) is False


def _inner(schema: Schema) -> Iterator[Schema]:
    """The schemas of what a value consists of; `{}` for members and items that are not described."""
    yield from schema.get("properties", {}).values()
    yield from schema.get("prefixItems", ())
    kind = schema.get("type")
    rest = schema.get("additionalProperties", kind == "object" and "properties" not in schema)
    items = schema.get("items", kind == "array")
    for open_or_schema in (rest, items):
        if open_or_schema is not False:
            yield {} if open_or_schema is True else open_or_schema


def _items(schemas: list[Schema], index: int, root: Schema) -> list[Schema]:
    found: list[Schema] = []
    for schema in schemas:
        first = schema.get("prefixItems", [])
        item = first[index] if index < len(first) else schema.get("items")
        if isinstance(item, dict):
            found += _alternatives(item, root)
    return found


def _alternatives(schema: Schema, root: Schema, seen: frozenset[str] = frozenset()) -> list[Schema]:
    """The schema and all it may stand for: references followed, choices opened."""
    if not isinstance(schema, dict):  # true and false are schemas too
        return [{}]
    found: list[Schema] = [schema]
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        found += _alternatives(_referenced(reference, root), root, seen | {reference})
    for word in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(word, ()):
            found += _alternatives(option, root, seen)
    return found


def _referenced(reference: str, root: Schema) -> Schema:
    target: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        target = (
            target.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
        )
    return target if isinstance(target, dict) else {}


def _replaced(value: Any, pointer: Pointer, new: Any) -> Any:
    if not pointer:
        return new
    copy = value.copy()
    copy[pointer[0]] = _replaced(value[pointer[0]], pointer[1:], new)
    return copy
