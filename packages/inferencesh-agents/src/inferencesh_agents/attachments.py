"""What is sent along with a message: files as callers hold them become references to stored files."""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from inferencesh_core.data_uri import means_data_uri
from inferencesh_core.file import File
from inferencesh_core.files import Files, UploadFileOptions
from inferencesh_core.flow.effects import gather
from inferencesh_core.sources import UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferencesh_core.context import ClientContext
    from inferencesh_core.files import Uploadable
    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.types import FileRef

    Attachable: TypeAlias = Uploadable | Mapping[str, Any]

_REF_FIELDS = ("id", "uri", "filename", "content_type", "size")
_BASE64_CHARACTERS = 16
"""Shorter text without padding is taken for a word, not for Base64."""


class Attachments:
    """Stores files for messages."""

    def __init__(self, context: ClientContext) -> None:
        self._files = Files(context)
        self._at_once = context.config.upload_concurrency

    def stored(self, files: Iterable[Attachable]) -> Flow[list[FileRef]]:
        """Upload files side by side and give their references, in order; see `upload`.

        Raises:
            UploadError: a file cannot be read or stored.
        """
        prepared = [_prepared(file, f"files[{place}]") for place, file in enumerate(files)]
        to_store = [index for index, file in enumerate(prepared) if not isinstance(file, dict)]
        stored = yield from gather((self._store(prepared[index], None) for index in to_store), self._at_once)
        references = dict(zip(to_store, stored, strict=True))
        return [references.get(index, cast("FileRef", file)) for index, file in enumerate(prepared)]

    def upload(self, data: Attachable, filename: str | None = None) -> Flow[FileRef]:
        """Store one file; what is stored already is given as it is.

        Raises:
            UploadError: it cannot be read or stored.
        """
        prepared = _prepared(data, "")
        if isinstance(prepared, dict):
            return cast("FileRef", prepared)
        return (yield from self._store(prepared, filename))

    def _store(self, data: Any, filename: str | None) -> Flow[FileRef]:
        file = yield from self._files.upload(data, UploadFileOptions(filename=filename))
        return cast("FileRef", {name: file[name] for name in _REF_FIELDS if file.get(name) is not None})


def listed(files: Any, name: str) -> list[Attachable]:
    """Give the files a caller passed, none for ``None``.

    Raises:
        TypeError: it is one file and no list; ``name`` says which argument.
    """
    if files is None:
        return []
    is_one = isinstance(files, (str, bytes, bytearray, memoryview, dict)) or hasattr(files, "read")
    if is_one or not hasattr(files, "__iter__"):
        raise TypeError(f"{name} is a list, not one {type(files).__name__}: write {name}=[...]")
    return list(cast("Iterable[Attachable]", files))


def _prepared(data: Any, place: str) -> Any:
    """Give what the file routes can store, or the reference of what needs no storing."""
    if isinstance(data, str):
        return _from_text(data, place)
    if isinstance(data, File) and data.uri and not data.is_local():
        return _reference(data.to_dict(), place)
    return _reference(data, place) if isinstance(data, dict) else data


def _reference(data: Mapping[str, Any], place: str) -> dict[str, Any]:
    if not isinstance(data.get("uri"), str) or not data["uri"]:
        raise _unusable(place, f"a file reference has a uri, and {data!r:.80} has none")
    return {name: data[name] for name in _REF_FIELDS if data.get(name) is not None}


def _from_text(text: str, place: str) -> Any:
    if text.startswith(("https://", "http://")):
        return {"uri": text}
    if means_data_uri(text) or os.path.exists(os.path.expanduser(text)):
        return text
    content = _decoded(text)
    if content is None:
        raise _unusable(
            place,
            f"{text[:80]!r} is no file that exists, no data URI, no URL and no Base64; "
            "for a file give its path, for text its bytes",
        )
    return content


def _decoded(text: str) -> bytes | None:
    compact = "".join(text.split())
    if len(compact) % 4 or (len(compact) < _BASE64_CHARACTERS and not compact.endswith("=")):
        return None
    try:
        return base64.b64decode(compact, validate=True) or None
    except binascii.Error:
        return None


def _unusable(place: str, reason: str) -> UnusableFileError:
    return UnusableFileError(f"{place}: {reason}" if place else reason)
