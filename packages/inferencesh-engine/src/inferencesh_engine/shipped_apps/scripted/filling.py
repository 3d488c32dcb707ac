"""Values for a JSON Schema, taken from a text by plain rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from .facts import Facts
from .words import stems, words

# By the words in a property's name: whose values it wants. What fits none takes quotations, then names.
_WHOLE_TEXT = {"message", "text", "query", "prompt", "question", "input", "task", "content", "request", "q"}
_PLACES = {"city", "place", "location", "country", "town", "where"}
_PERSONS = {"name", "person", "customer", "author", "user", "who", "people", "persons", "names", "entities"}
_PAIRED = ("key", "value")
_NO = {"no", "not", "without", "off", "false", "don't", "never", "disable"}
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
_CLAUSE = re.compile(r"[.;\n]\s+|,?\s+and\s+")
_MAX_DEPTH = 8


class NothingFits(Exception):  # noqa: N818 - an answer, not a failure
    """The text has no value for a schema."""


def filled(
    schema: Mapping[str, Any], text: str, *, known: Mapping[str, Any] | None = None, all_of_it: bool = False
) -> dict[str, Any]:
    """An object for the schema, from what a text says.

    Args:
        schema: The schema of an object; `$ref`s point into its own `$defs`.
        text: Where the values stand.
        known: Values that are known already, by property.
        all_of_it: Try optional properties too; without, only required ones are filled.

    Raises:
        NothingFits: A required property has no value in the text.
    """
    return _Filling(schema, Facts(text), known or {}, all_of_it).object(schema, 0)


class _Filling:
    def __init__(
        self, root: Mapping[str, Any], facts: Facts, known: Mapping[str, Any], all_of_it: bool
    ) -> None:
        self._root, self._facts, self._known, self._all_of_it = root, facts, known, all_of_it
        self._numbers = list(facts.numbers)
        self._quoted, self._names = list(facts.quoted), list(facts.names)

    def object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required") or []
        values: dict[str, Any] = {}
        described = schema.get("properties") or {}
        for name, wanted in {**described, **{name: {} for name in required if name not in described}}.items():
            if name not in required and not self._all_of_it:
                continue
            try:
                values[name] = self._value(name, wanted, depth + 1)
            except NothingFits:
                if name in required:
                    raise
        return values

    def _value(self, name: str, schema: Any, depth: int) -> Any:
        schema, nullable = self._settled(schema, depth)
        if depth == 1 and name in self._known and _is_one(self._known[name], schema):
            return self._known[name]
        try:
            return self._of_type(name, schema, depth)
        except NothingFits:
            if "default" in schema or nullable:
                return schema.get("default")
            raise

    def _of_type(self, name: str, schema: Mapping[str, Any], depth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema)
        match schema.get("type", "object" if "properties" in schema else "string"):
            case "object":
                value: Any = self.object(schema, depth)
            case "array":
                value = self._list(name, schema, depth)
                if len(value) < schema.get("minItems", 0):
                    raise NothingFits
            case "number" | "integer" as kind:
                value = self._number(name, whole=kind == "integer")
            case "boolean":
                value = not _NO & set(words(self._facts.text))
            case _:
                value = self._text(name, schema)
        return value

    def _choice(self, schema: Mapping[str, Any]) -> Any:
        said = stems(self._facts.text)
        for option in schema["enum"]:
            if stems(str(option)) & said:
                return option
        if self._all_of_it:
            raise NothingFits
        return schema.get("default", schema["enum"][0])

    def _number(self, name: str, *, whole: bool) -> float:
        number = next(iter(Facts(self._facts.labelled(name) or "").numbers), None)
        if number is None or number not in self._numbers:
            number = self._numbers[0] if self._numbers else None
        if number is None:
            raise NothingFits
        self._numbers.remove(number)
        return int(number) if whole or number.is_integer() else number

    def _text(self, name: str, schema: Mapping[str, Any]) -> str:
        facts, asked = self._facts, set(words(name.replace("_", " ")))
        exact = _exact(facts, asked, schema)
        if exact or (exact is not None and self._all_of_it):
            return self._first(exact)
        if name in _PAIRED and (pair := facts.pair()) is not None:
            return pair[_PAIRED.index(name)]
        if not asked & _WHOLE_TEXT and (said := facts.labelled(name)) is not None:
            return said
        if asked & _PLACES:
            return self._first([*facts.places, *reversed(facts.names)])
        if self._quoted:
            return self._quoted.pop(0)
        return facts.text if asked & _WHOLE_TEXT else self._name(asked)

    def _name(self, asked: set[str]) -> str:
        if asked & _PERSONS:
            placed = set(self._facts.places)
            ordered = [name for name in self._names if name not in placed] or self._names
        else:
            ordered = self._names[::-1]
        name = self._first(ordered)
        self._names = [other for other in self._names if other != name]
        return name

    def _first(self, candidates: Sequence[str]) -> str:
        if candidates:
            return candidates[0]
        if self._all_of_it:
            raise NothingFits
        return self._facts.last_word()

    def _list(self, name: str, schema: Mapping[str, Any], depth: int) -> list[Any]:
        items, _ = self._settled(schema.get("items") or {}, depth)
        if options := items.get("enum") or ([items["const"]] if "const" in items else []):
            said = stems(self._facts.text)
            return [option for option in options if stems(str(option)) & said]
        match items.get("type", "object" if "properties" in items else "string"):
            case "object":
                return list(self._objects(items, depth))
            case "integer":
                return [int(number) for number in self._facts.numbers]
            case "number":
                return [int(number) if number.is_integer() else number for number in self._facts.numbers]
            case "string":
                exact = _exact(self._facts, set(words(name.replace("_", " "))), items)
                return list(exact if exact is not None else self._facts.quoted or self._facts.names)
        return []

    def _objects(self, schema: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        """One object for each clause of the text that has all it needs."""
        for clause in filter(None, _CLAUSE.split(self._facts.text)):
            with suppress(NothingFits):
                yield _Filling(self._root, Facts(clause), {}, self._all_of_it).object(schema, depth)

    def _settled(self, schema: Any, depth: int) -> tuple[Mapping[str, Any], bool]:
        """The schema behind references and `or null`, and whether null is one of its values."""
        if depth > _MAX_DEPTH or not isinstance(schema, Mapping):
            raise NothingFits
        if isinstance(reference := schema.get("$ref"), str):
            return self._settled(self._referred(reference), depth + 1)
        for choices in ("anyOf", "oneOf", "allOf"):
            if options := schema.get(choices):
                real = [option for option in options if option != {"type": "null"}]
                settled, nullable = self._settled(real[0] if real else {}, depth + 1)
                return {**settled, **_without_choices(schema)}, nullable or len(real) < len(options)
        if isinstance(kinds := schema.get("type"), list):
            real = [kind for kind in kinds if kind != "null"]
            return {**schema, "type": real[0] if real else "string"}, "null" in kinds
        return schema, False

    def _referred(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def _is_one(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of the schema's type and, if there are few, one of its values."""
    if isinstance(value, bool) or schema.get("type") == "boolean":
        return isinstance(value, bool) and schema.get("type") == "boolean"
    kind = _TYPES.get(schema.get("type", "string"), object)
    return isinstance(value, kind) and value in schema.get("enum", [value])


def _without_choices(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf"}}


def _exact(facts: Facts, asked: set[str], schema: Mapping[str, Any]) -> list[str] | None:
    """The values that only this kind of property can mean; None when it is of no such kind."""
    kind = schema.get("format", "")
    if kind == "email" or asked & {"email", "emails", "mail"}:
        return facts.emails
    if kind in {"uri", "url", "file"} or asked & {"url", "urls", "link", "links", "uri"}:
        return facts.urls
    return facts.dates if kind in {"date", "date-time"} or asked & {"date", "dates", "day"} else None


def known_from(results: Sequence[str]) -> dict[str, Any]:
    """What results of tools say by name: the members of those that are JSON objects."""
    known: dict[str, Any] = {}
    for result in results:
        try:
            value = json.loads(result)
        except (ValueError, RecursionError):
            continue
        known |= value if isinstance(value, dict) else {}
    return known
