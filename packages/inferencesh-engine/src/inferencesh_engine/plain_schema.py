"""Values that fit a JSON Schema beyond doubt, told without a validator.

Nearly all input fits, and nearly all schemas of apps are made of a dozen keywords. To say yes for those takes
microseconds, and none of the time and memory a validator takes to load. What to say of everything else, and
what is wrong with a value, is the validator's business.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Test: TypeAlias = Callable[[Any], bool]
Schema: TypeAlias = Mapping[str, Any]

# They say something about a value, and ask nothing of it.
_ANNOTATIONS = (
    *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
    *("$comment", "$defs", "format", "contentMediaType", "contentEncoding"),
)
# The very types that JSON is read into. True is no number here; of 1.0 as an integer the validator may judge.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_DEFINITION = re.compile(r"#/\$defs/([^/~%]+)")


def surely_fits(schema: Any) -> Test:
    """A test of values: True means that the value is valid, False that a validator has to tell.

    It raises RecursionError for values that are nested too deeply.
    """
    return _Reader(schema).test(schema)


class _Reader:
    """Makes tests of the parts of one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._definitions: dict[str, Test] = {}

    def test(self, schema: Any) -> Test:
        if isinstance(schema, bool):
            return lambda _value: schema
        try:
            asked = [name for name in schema if name not in _ANNOTATIONS]
            tests = [self._asked_by(name, schema) for name in asked]
        except (AttributeError, LookupError, TypeError, re.error):
            return _in_doubt  # a keyword that is not known here, or a schema that is none
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _asked_by(self, keyword: str, schema: Schema) -> Test:
        if keyword in _LIMITS:
            return _limit(keyword, schema[keyword])
        return _TESTS[keyword](self, schema)

    def properties(self, schema: Schema) -> Test:
        tests = {name: self.test(each) for name, each in schema["properties"].items()}
        return lambda value: (
            not isinstance(value, dict)
            or all(test(value[name]) for name, test in tests.items() if name in value)
        )

    def additional(self, schema: Schema) -> Test:
        test, named = self.test(schema["additionalProperties"]), frozenset(schema.get("properties", ()))
        return lambda value: (
            not isinstance(value, dict) or all(test(value[name]) for name in value if name not in named)
        )

    def items(self, schema: Schema) -> Test:
        test = self.test(schema["items"])
        return lambda value: not isinstance(value, list) or all(map(test, value))

    def any_of(self, schema: Schema) -> Test:
        tests = [self.test(each) for each in schema["anyOf"]]
        return lambda value: any(test(value) for test in tests)

    def all_of(self, schema: Schema) -> Test:
        tests = [self.test(each) for each in schema["allOf"]]
        return lambda value: all(test(value) for test in tests)

    def reference(self, schema: Schema) -> Test:
        named = _DEFINITION.fullmatch(schema["$ref"])
        if named is None:
            return _in_doubt
        name, definition = named[1], self._root["$defs"][named[1]]

        def test(value: Any) -> bool:
            # Made when it is met: definitions may lead back to themselves.
            if name not in self._definitions:
                self._definitions[name] = self.test(definition)
            return self._definitions[name](value)

        return test


def _type(_reader: _Reader, schema: Schema) -> Test:
    names = schema["type"]
    allowed = {kind for name in ([names] if isinstance(names, str) else names) for kind in _TYPES[name]}
    return lambda value: type(value) in allowed


def _required(_reader: _Reader, schema: Schema) -> Test:
    names = frozenset(schema["required"])
    return lambda value: not isinstance(value, dict) or value.keys() >= names


def _enum(_reader: _Reader, schema: Schema) -> Test:
    return _one_of(schema["enum"])


def _const(_reader: _Reader, schema: Schema) -> Test:
    return _one_of([schema["const"]])


def _one_of(values: list[Any]) -> Test:
    # Texts alone: of numbers that are equal and not the same, the validator may judge.
    texts = {each for each in values if type(each) is str}
    return lambda value: type(value) is str and value in texts


def _pattern(_reader: _Reader, schema: Schema) -> Test:
    search = re.compile(schema["pattern"]).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _limit(keyword: str, limit: Any) -> Test:
    kind, measure, holds = _LIMITS[keyword]
    if type(limit) not in (int, float):
        return _in_doubt
    return lambda value: not isinstance(value, kind) or holds(measure(value), limit)


def _in_doubt(_value: Any) -> bool:
    return False


_TESTS: Mapping[str, Callable[[_Reader, Schema], Test]] = {
    "type": _type,
    "properties": _Reader.properties,
    "required": _required,
    "additionalProperties": _Reader.additional,
    "items": _Reader.items,
    "anyOf": _Reader.any_of,
    "allOf": _Reader.all_of,
    "$ref": _Reader.reference,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
}
_NUMBER = (int, float)
_LIMITS: Mapping[str, tuple[type | tuple[type, ...], Callable[[Any], Any], Callable[[Any, Any], bool]]] = {
    "minimum": (_NUMBER, operator.pos, operator.ge),
    "maximum": (_NUMBER, operator.pos, operator.le),
    "exclusiveMinimum": (_NUMBER, operator.pos, operator.gt),
    "exclusiveMaximum": (_NUMBER, operator.pos, operator.lt),
    "minLength": (str, len, operator.ge),
    "maxLength": (str, len, operator.le),
    "minItems": (list, len, operator.ge),
    "maxItems": (list, len, operator.le),
}
