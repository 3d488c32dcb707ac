"""A function's outputs: taken from whatever it returns, checked, and encoded."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from inferencesh_core.file import KEEP_FILES, File

from .failures import CallFailed, field_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..signatures import AppFunction

    InThread = Callable[..., Awaitable[Any]]

_END = object()


async def invoke(method: Callable[..., Any], arguments: tuple[Any, ...], in_thread: InThread) -> Any:
    """What the method returns: for a generator, its iterator.

    Sync code runs where `in_thread` puts it, so that it never holds up the event loop.
    """
    is_async = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
    result = method(*arguments) if is_async else await in_thread(method, *arguments)
    return await result if inspect.isawaitable(result) else result


def is_stream(result: Any) -> bool:
    """Whether the result is a sequence of outputs still to come."""
    return isinstance(result, (AsyncIterator, Iterator))


async def outputs_of(stream: Any, in_thread: InThread) -> AsyncGenerator[Any, None]:
    """Each output of a sync or async iterator, which is closed in the end, however that comes."""
    try:
        if isinstance(stream, AsyncIterator):
            async for output in stream:
                yield output
        else:
            while (output := await in_thread(next, stream, _END)) is not _END:
                yield output
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
        elif isinstance(stream, Generator):
            await in_thread(stream.close)


def encoded_output(function: AppFunction, value: Any) -> bytes:
    """The output as JSON. `CallFailed` (invalid_output) when there is none or it does not fit its model."""
    if value is None:
        raise CallFailed("invalid_output", f"{function.name} returned nothing; return its output model")
    try:
        encoded = _encoded(function, value)
    except ValidationError as error:
        raise invalid_output(function, error) from None
    except PydanticSerializationError as error:
        raise CallFailed("invalid_output", f"output of {function.name} is invalid: {error}") from None
    if not encoded.startswith(b"{"):
        kind = type(value).__name__
        raise CallFailed(
            "invalid_output", f"{function.name} returned {kind}; return its output model or a dict"
        )
    return encoded


def invalid_output(function: AppFunction, error: ValidationError, trace: str = "") -> CallFailed:
    """The failure of an output that does not fit its model, naming the fields."""
    return CallFailed(
        "invalid_output", f"output of {function.name} is invalid: {error.title}: {field_errors(error)}", trace
    )


def _encoded(function: AppFunction, value: Any) -> bytes:
    if isinstance(value, BaseModel) and isinstance(value, function.output_type):
        try:
            return value.model_dump_json(by_alias=True, warnings="error").encode()
        except PydanticSerializationError:
            # Changed since it was validated: a dict put where a model belongs may still be right.
            pass
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True, warnings=False, context={KEEP_FILES: True})
    valid = function.output.validate_python(value)
    return to_json(valid, by_alias=True, inf_nan_mode="null", fallback=_file_json)


def _file_json(value: Any) -> Any:
    if isinstance(value, File):
        return value.to_dict()
    raise PydanticSerializationError(f"{type(value).__name__} is not JSON")
