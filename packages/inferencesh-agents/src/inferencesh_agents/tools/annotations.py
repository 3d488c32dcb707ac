"""The parameters of a function: their JSON Schema, and arguments as their annotations want them."""

from __future__ import annotations

import inspect
import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from .arguments import InvalidArgumentsError

try:
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import GenerateJsonSchema
except ModuleNotFoundError as error:
    if error.name != "pydantic":
        raise
    text = "functions become tools with pydantic: pip install 'inferencesh-agents[pydantic]'"
    raise ModuleNotFoundError(text, name="pydantic") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNNAMED = {
    inspect.Parameter.POSITIONAL_ONLY: "has no name to callers",
    inspect.Parameter.VAR_POSITIONAL: "stands for arguments without names",
    inspect.Parameter.VAR_KEYWORD: "stands for arguments of any name",
}
_ABSENT = inspect.Parameter.empty


class _Untitled(GenerateJsonSchema):
    """JSON Schema without the titles that repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Parameters:
    """The parameters that a model may pass to a function.

    Args:
        tool: The name of the tool, for errors.
        fn: What is called; what a `functools.partial` passes already is not the model's to say.
        written: The function that carries the annotations.

    Raises:
        TypeError: A parameter has no name to callers, or an annotation no JSON Schema.
    """

    def __init__(self, tool: str, fn: Callable[..., Any], written: Callable[..., Any]) -> None:
        self._tool = tool
        hints = self._hints(written)
        passed = fn.keywords if isinstance(fn, partial) else {}
        self._parameters = {
            name: _Parameter(tool, parameter, hints.get(name, Any))
            for name, parameter in inspect.signature(fn).parameters.items()
            if name not in passed
        }

    def schema(self, descriptions: Mapping[str, str]) -> dict[str, Any]:
        """Give the schema of the arguments; a description fills in where an annotation has none."""
        adapters = [(name, one.adapter) for name, one in self._parameters.items()]
        try:
            found, shared = TypeAdapter.json_schemas(
                [(name, "validation", adapter) for name, adapter in adapters], schema_generator=_Untitled
            )
        except PydanticUserError as error:
            raise TypeError(f"tool {self._tool!r}: {error.message}") from error
        properties = {
            name: {**self._described(name, descriptions), **found[name, "validation"], **one.default()}
            for name, one in self._parameters.items()
        }
        return {
            "type": "object",
            "properties": properties,
            "required": [name for name, one in self._parameters.items() if one.required],
            "additionalProperties": False,
            **shared,
        }

    def converted(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give arguments of the annotated types.

        Raises:
            InvalidArgumentsError: One cannot be made so.
        """
        filled = {
            name: one.field_default() for name, one in self._parameters.items() if one.has_field_default
        }
        given = {name: self._parameters[name].converted(value) for name, value in arguments.items()}
        return {**filled, **given}

    def _hints(self, written: Callable[..., Any]) -> dict[str, Any]:
        try:
            return get_type_hints(written, include_extras=True)
        except NameError as error:
            raise TypeError(
                f"tool {self._tool!r}: an annotation means nothing: {error}; define it in the module itself"
            ) from error

    @staticmethod
    def _described(name: str, descriptions: Mapping[str, str]) -> dict[str, str]:
        return {"description": descriptions[name]} if descriptions.get(name) else {}


class _Parameter:
    """One parameter, and how to make its argument of what the model passes."""

    def __init__(self, tool: str, parameter: inspect.Parameter, annotation: Any) -> None:
        if parameter.kind in _UNNAMED:
            raise TypeError(
                f"tool {tool!r}: {parameter} {_UNNAMED[parameter.kind]}, and tools are called by name"
            )
        self._name = parameter.name
        self._default = parameter.default
        if isinstance(self._default, FieldInfo):
            annotation = Annotated[annotation, self._default]
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except PydanticUserError as error:
            raise TypeError(
                f"tool {tool!r}: {parameter} cannot be told to a model: {error.message}"
            ) from error

    @property
    def required(self) -> bool:
        """Whether the model must pass it."""
        return (
            self._default.is_required() if isinstance(self._default, FieldInfo) else self._default is _ABSENT
        )

    @property
    def has_field_default(self) -> bool:
        """Whether its default stands in a pydantic ``Field``, of which Python knows nothing."""
        return isinstance(self._default, FieldInfo) and not self.required

    def field_default(self) -> Any:
        return self._default.get_default(call_default_factory=True)

    def default(self) -> dict[str, Any]:
        """The ``default`` of its schema; nothing when there is none, or none that JSON can show."""
        if self.required:
            return {}
        default = self.field_default() if self.has_field_default else self._default
        try:
            value = self.adapter.dump_python(default, mode="json", warnings=False)
            return {"default": json.loads(json.dumps(value, allow_nan=False))}
        except (TypeError, ValueError):
            return {}

    def converted(self, value: Any) -> Any:
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            told = [": ".join([*map(str, (self._name, *one["loc"])), one["msg"]]) for one in error.errors()]
            raise InvalidArgumentsError("; ".join(told)) from error
