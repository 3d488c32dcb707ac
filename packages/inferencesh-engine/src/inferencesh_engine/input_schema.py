"""Checking values against the JSON Schemas of apps and tools, and what is given as one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from .domain.problems import Problem
from .file_places import path_text
from .plain_schema import surely_fits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_FILE = {
    "description": "a file: its uri, or an object with a uri",
    "anyOf": [{"type": "string", "minLength": 1}, {"type": "object", "required": ["uri"]}],
}
# What forms send for "no file".
_FILE_OR_NONE = {"anyOf": [*_FILE["anyOf"], {"const": ""}, {"const": {}}]}
_CHOICES = ("anyOf", "oneOf")
_MAX_ERRORS = 10


class InputSchema:
    """A JSON Schema that takes a file (`format: file`) as its URI or as an object with one."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = _with_file_objects(schema)
        self._surely_fits = surely_fits(self._schema)

    def check(self, value: Any, name: str) -> None:
        """Raise Problem 422 naming each wrong field of the value, which is called `name`."""
        try:
            if not self._surely_fits(value):
                self._validate(value, name)
        except RecursionError:
            raise Problem(422, f"invalid_{name}", f"{name} is nested too deeply", field=name) from None

    def _validate(self, value: Any, name: str) -> None:
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - as below

        try:
            errors = self._errors(value)
        except Unresolvable as error:
            detail = f"{name} cannot be checked: the schema refers to {error.ref}, which it does not hold"
            raise Problem(422, f"invalid_{name}", detail, field=name) from None
        if not errors:
            return
        told = [_told(error, name) for error in errors[:_MAX_ERRORS]]
        raise Problem(422, f"invalid_{name}", "; ".join(one["message"] for one in told), errors=told)

    def _errors(self, value: Any) -> list[ValidationError]:
        if self._validator.is_valid(value):
            return []
        found = self._validator.iter_errors(value)
        return sorted(found, key=lambda error: list(map(str, error.absolute_path)))

    @cached_property
    def _validator(self) -> Validator:
        # Heavy, and many engines never see a value that is in doubt: imported when the first one comes.
        from jsonschema import Draft202012Validator  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        # With a registry of its own it fetches nothing: callers write schemas, too.
        validator: Validator = Draft202012Validator(self._schema, registry=Registry())
        return validator


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """Why this is no JSON Schema; None when it is one."""
    # Heavy, and many agents have no tools: imported when the first schema comes.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        return str(getattr(error, "message", error))
    return None


def _told(error: ValidationError, name: str) -> dict[str, str]:
    field = name + path_text(error.absolute_path)
    return {"field": field, "message": f"{field}: {_reason(error)}"}


def _reason(error: ValidationError) -> str:
    if error.validator == "anyOf" and error.validator_value in (
        _FILE["anyOf"],
        _FILE_OR_NONE["anyOf"],
    ):
        return f"expected {_FILE['description']}, not {error.instance!r:.100}"
    return str(error.message)[:500]


def _with_file_objects(schema: Any, none_too: bool = False) -> Any:
    """The schema with files as callers give them; where it offers a choice, none may be one."""
    if isinstance(schema, list):
        return [_with_file_objects(item, none_too) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "file":
        return _FILE_OR_NONE if none_too else _FILE
    return {key: _part(key, value) for key, value in schema.items()}


def _part(key: str, value: Any) -> Any:
    if key == "$defs" and isinstance(value, dict):
        # Who refers to them may be a choice.
        return {name: _with_file_objects(each, none_too=True) for name, each in value.items()}
    return _with_file_objects(value, none_too=key in _CHOICES)
