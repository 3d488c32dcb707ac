"""`File`: a file by path, URL or data URI, with its metadata, and a pydantic field type.

Core does not need pydantic: what pydantic asks of a field type is imported when pydantic asks.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import content_types
from .cache_entry import CacheEntry, cache_directory, display_name
from .file_record import FILE_KEYS, file_of_record, is_file_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .data_uri import DataURI

_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://|(?P<data>data):", re.IGNORECASE | re.ASCII)

KEEP_FILES = "inferencesh_keep_files"
"""Key of a pydantic serialisation context in which `model_dump` leaves `File` objects as they are."""


class File:
    """A file: local, behind a URL, or inside a data URI.

    An http(s) URL is downloaded when `path`, `size` or `exists()` first need the content. The copy stays in
    `get_cache_dir()`; each further `File` of that URL asks the server whether it has changed. A data URI is
    written there in the same way. Other addresses (`inf://...`) are only passed on.

    Args:
        initializer: A path, a URL, a data URI, a mapping of the keyword arguments, the record of an uploaded
            file, or another `File`.
        uri: Where the file comes from.
        path: Where the file is on disk; with both, the content is read here.
        content_type: Guessed from the name, then from an image's first bytes, when not given.
        size: In bytes; measured when not given.
        filename: The name to show; the last part of the path or URL when not given.

    Raises:
        ValueError: neither `uri` nor `path` was given, or the data URI is malformed.
        TypeError: a mapping has a key that is none of the arguments.
    """

    uri: str | None
    content_type: str | None
    filename: str | None

    def __init__(
        self,
        initializer: str | os.PathLike[str] | Mapping[str, Any] | File | None = None,
        *,
        uri: str | None = None,
        path: str | os.PathLike[str] | None = None,
        content_type: str | None = None,
        size: int | None = None,
        filename: str | None = None,
    ) -> None:
        given = {"uri": uri, "path": path, "content_type": content_type, "size": size, "filename": filename}
        values = {
            **_values_of(initializer),
            **{key: value for key, value in given.items() if value is not None},
        }
        self.uri = values.get("uri") or None
        self.content_type = values.get("content_type") or None
        self._size: int | None = values.get("size")
        self.filename = values.get("filename") or None
        self._path = _local_path(values.get("path"), self.uri)
        if self._path is None and self.uri is None:
            raise ValueError("Either 'uri' or 'path' must be provided")
        self._fill_metadata()

    @classmethod
    def get_cache_dir(cls) -> Path:
        """Give the folder of downloaded files, made if missing.

        `FILE_CACHE_DIR` names it; without that it is one of the user's own.
        """
        return cache_directory()

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> File:
        """Give the file at `path`, its metadata filled in."""
        return cls(os.fspath(path))

    @property
    def path(self) -> str:
        """The absolute path of the content; a URL is downloaded and a data URI written on first use.

        Raises:
            DownloadError: the URL cannot be downloaded.
            ValueError: the address (`inf://...`) is one that only the service can read.
        """
        self.resolve()
        return str(self._path)

    @path.setter
    def path(self, value: str | os.PathLike[str]) -> None:
        self._path = _absolute(value)

    @property
    def size(self) -> int | None:
        """In bytes; None when the file does not exist. A URL is downloaded to know."""
        if self._size is None:
            if self._is_remote():
                self.resolve()
            self._size = _size_at(self._path)
        return self._size

    @size.setter
    def size(self, value: int | None) -> None:
        self._size = value

    def resolve(self) -> None:
        """Bring the content to disk, so that `path` names it; nothing happens when it is there.

        Raises:
            DownloadError: the URL cannot be downloaded.
            ValueError: the address is one that only the service can read.
        """
        if self._path is not None:
            return
        uri = self.uri or ""
        if self._is_remote():
            self._download(uri)
        elif uri[:5].lower() == "data:":
            self._path = _stored(uri, _parsed(uri))
        else:
            raise ValueError(f"{uri!r} has no local path: only the service can read addresses of this kind")

    def exists(self) -> bool:
        """Whether the content is there; a URL is downloaded to know, and 404 or 410 mean that it is not."""
        if not self._is_remote():
            return self.is_local() and os.path.exists(self.path)
        from .fetch import DownloadError  # noqa: PLC0415 - urllib3, which a file with a path never needs

        try:
            return os.path.exists(self.path)
        except DownloadError as error:
            if error.status in {404, 410}:
                return False
            raise

    def is_resolved(self) -> bool:
        """Whether `path` is known without a download or writing anything."""
        return self._path is not None

    def is_local(self) -> bool:
        """Whether the content is on this machine: a path, a data URI, or a URL already downloaded."""
        return self._path is not None or (self.uri or "")[:5].lower() == "data:"

    def refresh_metadata(self) -> None:
        """Read content type, size and name anew, in place of what was given or seen before."""
        self.content_type = self._size = self.filename = None
        self._fill_metadata()

    def to_dict(self) -> dict[str, Any]:
        """Give the members that are known; nothing is downloaded for it."""
        known = {
            "uri": self.uri,
            "path": self._path,
            "content_type": self.content_type,
            "size": self._size if self._path is None else self.size,
            "filename": self.filename,
        }
        return {key: value for key, value in known.items() if value is not None}

    def __repr__(self) -> str:
        uri = self.uri or ""
        shown = {**self.to_dict(), "uri": f"{uri[:48]}..."} if len(uri) > 200 else self.to_dict()
        return f"File({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    def _is_remote(self) -> bool:
        return self._path is None and (self.uri or "").lower().startswith(("http://", "https://"))

    def _fill_metadata(self) -> None:
        if self._path is not None:
            self._describe(
                os.path.basename(self._path), content_types.by_file(self._path), _size_at(self._path)
            )
        elif self._is_remote():
            name = display_name(self.uri or "")
            self._describe(name, content_types.by_name(name), None)
        elif self.uri and self.uri[:5].lower() == "data:":
            content = _parsed(self.uri)
            name = f"file{content_types.extension_of(content.media_type)}"
            self._describe(name, content.media_type, len(content.data))

    def _describe(self, filename: str, content_type: str | None, size: int | None) -> None:
        self.filename = self.filename or filename
        self.content_type = self.content_type or content_type
        self._size = size if self._size is None else self._size

    def _download(self, url: str) -> None:
        from .fetch import fetch  # noqa: PLC0415 - urllib3, which a file with a path never needs

        fetched = fetch(url, CacheEntry.of_url(url))
        self._path = fetched.path
        self._describe(
            display_name(url),
            content_types.by_file(fetched.path) or fetched.content_type,
            fetched.size,
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from .file_field import field_schema  # noqa: PLC0415 - needs pydantic, which core does not

        return field_schema(handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, str]:
        return {"type": "string", "format": "file"}


def remote_address(file: File) -> str | None:
    """Give the URL at which others than this machine find the file, None when it has none."""
    scheme = _SCHEME.match(file.uri or "")
    if scheme is None or (scheme["scheme"] or "file").lower() == "file":
        return None
    return file.uri


def _values_of(initializer: Any) -> dict[str, Any]:
    if initializer is None:
        return {}
    if isinstance(initializer, File):
        return initializer.to_dict()
    if isinstance(initializer, str):
        return {"uri": initializer}
    if isinstance(initializer, os.PathLike):
        return {"path": initializer}
    if isinstance(initializer, dict):
        return file_of_record(initializer) if is_file_record(initializer) else _checked_keys(initializer)
    raise ValueError(f"Invalid input for File: {initializer!r}")


def _checked_keys(values: dict[str, Any]) -> dict[str, Any]:
    unknown = ", ".join(repr(key) for key in values if key not in FILE_KEYS)
    if unknown:
        raise TypeError(f"a file has no {unknown}; it may have {', '.join(FILE_KEYS)}")
    return values


def _local_path(path: str | os.PathLike[str] | None, uri: str | None) -> str | None:
    """Where the content is on disk, None when it has to be brought there first."""
    if path:
        return _absolute(path)
    if not uri:
        return None
    address = _SCHEME.match(uri)
    if address is None:
        return _absolute(uri)
    if (address["scheme"] or "").lower() == "file":
        from urllib.request import url2pathname  # noqa: PLC0415 - http.client and ssl, for the rare file: URL

        return _absolute(url2pathname(urlsplit(uri).path))
    return None


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(os.path.expanduser(os.fspath(path)))


def _size_at(path: str | None) -> int | None:
    try:
        return None if path is None else os.stat(path).st_size
    except (OSError, ValueError):
        return None


def _parsed(uri: str) -> DataURI:
    from .data_uri import parse_data_uri  # noqa: PLC0415 - base64 and binascii, which few files need

    return parse_data_uri(uri)


def _stored(uri: str, content: DataURI) -> str:
    entry = CacheEntry.of_data(uri, content_types.extension_of(content.media_type))
    entry.store(content.data)
    return str(entry.body)
