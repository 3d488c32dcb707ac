"""Callers hand files to tasks by address; they may not name files of the engine's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_core.file_record import is_file_record

from .domain.problems import Problem
from .file_places import Place, file_places, is_file_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file_places import Schema


def check_input(value: Any, schema: Schema | None, name: str) -> None:
    """Refuse, by a 422 problem that says where, input that names a local file or no address at all.

    What the schema does not show (other names of a field, JSON inside a text) the worker refuses.
    """
    for place in file_places(value, schema):
        for address in _addresses(place):
            _refuse_local(place, address, f"{name}{place}")


def _addresses(place: Place) -> Iterator[str]:
    """What a caller's file says it is to be read from; a `path` counts as a `file:` address.

    That of an uploaded file's record does not: it is the store's, and never reaches the worker.
    """
    if isinstance(place.value, str):
        yield place.value
        return
    if place.value.get("path") and not is_file_record(place.value):
        yield f"file:{place.value['path']}"
    if place.value.get("uri"):
        yield str(place.value["uri"])


def _refuse_local(place: Place, address: str, field: str) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme == "file" and (isinstance(place.value, dict) or place.certain or is_file_address(address)):
        detail = f"{field} names a file on the engine's machine; upload it with POST /files and pass its uri"
        raise Problem(422, "local_file_refused", detail, field=field)
    if place.certain and address and scheme not in ("http", "https", "data"):
        detail = f"{field} must be a file's uri (http, https or data), not {address[:100]!r}"
        raise Problem(422, "invalid_file", detail, field=field)
    if place.certain and scheme == "data":
        _check_data(address, field)


def _check_data(uri: str, field: str) -> None:
    from inferencesh_core.data_uri import DataURIError, parse_data_uri  # noqa: PLC0415 - clients upload first

    try:
        parse_data_uri(uri)
    except DataURIError as error:
        raise Problem(422, "invalid_file", f"{field}: {error}", field=field) from None
