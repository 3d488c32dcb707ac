"""The type of a structured output: the schema the model is shown, and the check of what it gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_WRAPPED = "result"


class OutputType:
    """A type an output is to be of.

    A finish call has named arguments, so a type that is no object is asked for as its argument ``result``.

    Args:
        wanted: A pydantic model, or anything pydantic can check: a dataclass, a ``TypedDict``, ``list[int]``.

    Raises:
        ModuleNotFoundError: pydantic is not installed.
        TypeError: pydantic cannot check it.
    """

    def __init__(self, wanted: Any) -> None:
        self._adapter = _adapter(wanted)
        schema = _followed(self._adapter.json_schema())
        self.name = getattr(wanted, "__name__", None) or str(wanted)
        self._is_wrapped = schema.get("type") != "object"
        self.schema: dict[str, Any] = _wrapped(schema) if self._is_wrapped else schema

    def read(self, output: Any) -> Any:
        """Give the output as the type.

        Raises:
            ValueError: it does not fit.
        """
        if self._is_wrapped and isinstance(output, dict) and output.keys() == {_WRAPPED}:
            output = output[_WRAPPED]
        return self._adapter.validate_python(output)


def _followed(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a model that contains itself as an object, which a finish call's has to be."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**schema["$defs"][name], "$defs": schema["$defs"]} if name else schema


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    outer: dict[str, Any] = {"type": "object", "properties": {_WRAPPED: inner}, "required": [_WRAPPED]}
    if "$defs" in schema:
        outer["$defs"] = schema["$defs"]
    return outer


def _adapter(wanted: Any) -> TypeAdapter[Any]:
    try:
        from pydantic import TypeAdapter  # noqa: PLC0415 - optional, and heavy
        from pydantic.errors import PydanticUserError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        text = "output_type needs pydantic: pip install 'inferencesh-agents[pydantic]'"
        raise ModuleNotFoundError(text, name=error.name) from None
    try:
        return TypeAdapter(wanted)
    except PydanticUserError as error:
        raise TypeError(f"output_type={wanted!r:.80} cannot be checked by pydantic: {error}") from error
