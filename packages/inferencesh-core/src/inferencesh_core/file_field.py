"""`File` as the type of a pydantic field. Imported when pydantic asks, so that core does without it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, Union, get_args, get_origin

from pydantic_core import core_schema

from .file import KEEP_FILES, File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check: TypeAlias = Callable[[File], File]

_check: ContextVar[Check | None] = ContextVar("inferencesh_file_check", default=None)
_EMPTY: tuple[object, ...] = (None, "", {})


@contextmanager
def checking_files(check: Check) -> Iterator[None]:
    """Let `check` see each file that is validated in the `with` block, before any code of its model does.

    It gives the file the model gets. Defaults of fields it does not see.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def field_schema(handler: Any) -> core_schema.CoreSchema:
    """Give the schema of the field that pydantic is building.

    `""` and `{}` are how forms say "no file": None where the field is `Optional[File]`, an error elsewhere.
    """
    return core_schema.no_info_plain_validator_function(
        _validated_or_none if _is_optional(handler) else _validated,
        serialization=core_schema.plain_serializer_function_ser_schema(_serialised, info_arg=True),
    )


def _is_optional(handler: Any) -> bool:
    # Pydantic tells a type nothing about what stands around it, so its own notes have to be read. Where they
    # cannot be (no model, or another pydantic), an empty value is an error: stricter, but nothing is lost.
    try:
        model = handler._generate_schema.model_type_stack.get()  # noqa: SLF001
        fields = getattr(model, "__pydantic_fields__", None) or model.model_fields  # the second until 2.9
        return _has_optional_file(fields[handler.field_name].annotation)
    except (AttributeError, LookupError):
        return False


def _has_optional_file(annotation: Any) -> bool:
    arguments = get_args(annotation)
    if get_origin(annotation) in {Union, UnionType} and {File, type(None)} <= set(arguments):
        return True
    return any(_has_optional_file(argument) for argument in arguments)


def _validated_or_none(value: Any) -> File | None:
    return None if value in _EMPTY else _validated(value)


def _validated(value: Any) -> File:
    if value in _EMPTY:
        raise ValueError(f"a file is required here; {value!r} is none")
    if isinstance(value, File):
        return value
    try:
        file = File(value)
    except TypeError as error:
        # Pydantic turns only ValueError into a validation error.
        raise ValueError(str(error)) from error
    check = _check.get()
    return file if check is None else check(file)


def _serialised(value: Any, info: core_schema.SerializationInfo) -> Any:
    if not isinstance(value, File) or (info.context or {}).get(KEEP_FILES):
        return value
    return value.to_dict()
