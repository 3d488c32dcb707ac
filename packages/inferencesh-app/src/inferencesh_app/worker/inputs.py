"""A call's input on its way into the function: validated, its files brought here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from inferencesh_core.file import File
from inferencesh_core.file_field import checking_files

from .failures import CallFailed, field_errors, one_line
from .protocol import INPUT_FOLDER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter

_CLOSED = "refused://file-of-the-engines-machine"
_FETCHED = ("http://", "https://", "data:")


async def prepared(adapter: TypeAdapter[Any], value: Any, what: str) -> Any:
    """The validated value, its files on disk. `CallFailed` (invalid_input) naming the fields at fault."""
    try:
        with checking_files(_closed_if_local):
            valid = adapter.validate_python(value)
    except ValidationError as error:
        raise CallFailed("invalid_input", f"{what} is invalid: {field_errors(error)}") from None
    _refuse_local(valid, what)
    await _bring_files(valid, what)
    return valid


def _closed_if_local(file: File) -> File:
    """What an app's own validators get of a file they may not open: they run before it is refused."""
    return File(uri=_CLOSED) if _is_local(file) else file


def _refuse_local(value: Any, what: str) -> None:
    """Let callers name no file of this machine, however they wrote it; the engine names its own by path."""
    for place, file in files_in(value, given=True):
        if file.uri == _CLOSED or _is_local(file):
            reason = f"{place}: it names a file on the engine's machine; upload it and pass its uri"
            raise CallFailed("invalid_input", f"{what} is invalid: {reason}")


def _is_local(file: File) -> bool:
    folder = os.environ.get(INPUT_FOLDER_VARIABLE)
    if folder is None or not file.is_resolved():
        return False
    return Path(folder).resolve() not in Path(file.path).resolve().parents


async def _bring_files(value: Any, what: str) -> None:
    """Fetch all files at the same time. Addresses only the service can read stay as they are."""
    files = [(place, file) for place, file in files_in(value) if _is_away(file)]
    fetched = await asyncio.gather(
        *(asyncio.to_thread(file.resolve) for _, file in files), return_exceptions=True
    )
    for (place, _), error in zip(files, fetched, strict=True):
        if error is not None:
            raise CallFailed("invalid_input", f"{what} is invalid: {place}: {one_line(str(error))}")


def files_in(value: Any, place: str = "", *, given: bool = False) -> Iterator[tuple[str, File]]:
    """Every `File` in models, mappings and sequences, with the place where it is (`pages.0.image`).

    With `given`, those that are defaults of their field are left out.
    """
    if isinstance(value, File):
        yield place, value
        return
    for name, each in _members(value, given=given):
        yield from files_in(each, f"{place}.{name}" if place else str(name), given=given)


def _members(value: Any, *, given: bool) -> Iterator[tuple[object, Any]]:
    if isinstance(value, BaseModel):
        yield from ((name, each) for name, each in value if not given or name in value.model_fields_set)
    elif is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from enumerate(value)


def _is_away(file: File) -> bool:
    return not file.is_resolved() and (file.uri or "").lower().startswith(_FETCHED)
