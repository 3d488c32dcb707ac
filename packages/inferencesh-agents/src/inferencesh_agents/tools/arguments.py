"""Whether the arguments of a call are what the tool's schema asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferencesh_core.types import AgentTool

_MAX_ERRORS = 10
_MAX_ERROR_CHARS = 500


class InvalidArgumentsError(ValueError):
    """The model passed what the tool's schema does not allow; the text says which arguments are wrong."""


class ArgumentRules:
    """The rules of one tool's arguments; nothing that a schema refers to is fetched.

    Raises:
        ValueError: The tool's schema is no JSON Schema.
    """

    def __init__(self, name: str, tool: AgentTool) -> None:
        # Heavy, and only tools with handlers need it.
        from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        schema = (tool.get("client") or {}).get("input_schema") or {}
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"tool {name!r}: its input_schema is broken: {error.message}") from error
        registry: Registry[Any] = Registry()
        self._validator = Draft202012Validator(schema, registry=registry)

    def check(self, arguments: Any) -> None:
        """Raise InvalidArgumentsError naming each wrong argument."""
        errors = sorted(
            self._validator.iter_errors(arguments), key=lambda error: list(map(str, error.absolute_path))
        )
        if errors:
            told = [f"{_place(error)}{error.message[:_MAX_ERROR_CHARS]}" for error in errors[:_MAX_ERRORS]]
            raise InvalidArgumentsError("; ".join(told))


def _place(error: Any) -> str:
    return "".join(f"{step}: " for step in [".".join(map(str, error.absolute_path))] if step)
