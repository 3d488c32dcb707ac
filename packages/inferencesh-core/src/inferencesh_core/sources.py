"""What can be uploaded: values turned into sources that can be opened for every try; nothing is sent."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import os
import re
import shutil
import stat
import tempfile
import weakref
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from . import content_types
from .announced import AnnouncedReader
from .data_uri import DataURIError, means_data_uri, parse_data_uri
from .errors import UploadError
from .file import File

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Literal, TypeAlias

    from .config import UploadStrings

    StringRule: TypeAlias = UploadStrings | Literal["text"]

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BASE64_CHARACTERS = 16
"""The shortest string that 0.7.8 took for Base64."""

_LEGACY_DATA_URI = re.compile(r"data:([^;,]+);base64,(.+)", re.DOTALL)

_PATH_STARTS = ("./", "../", "~/") if os.sep == "/" else ("./", "../", "~/", ".\\", "..\\", "~\\")


class UnusableFileError(UploadError, ValueError):
    """A value that cannot be uploaded; the text says where it stands and what is wrong with it."""


@dataclass(frozen=True)
class UploadSource:
    """Content that can be read as often as an upload has to be tried.

    Attributes:
        open: Gives a reader at the start of the content; the caller closes it. One at a time. What sends the
            content takes `reader` instead.
        size: In bytes, None when unknown.
        filename: The name to store it under.
        content_type: Its media type.
        identity: Equal for two sources of the same content, so that it goes up once.
    """

    open: Callable[[], BinaryIO]
    size: int | None
    filename: str
    content_type: str
    identity: Hashable

    def reader(self) -> BinaryIO:
        """Give a reader that goes by the announced size, whatever becomes of the content meanwhile.

        It never gives more than `size` bytes, and raises `UploadError` where there are fewer. The caller
        closes it.
        """
        file = self.open()
        return (
            file if self.size is None else cast("BinaryIO", AnnouncedReader(file, self.size, self.filename))
        )


class _SameObject:
    """The identity of content that is known only by the object that holds it."""

    def __init__(self, value: object) -> None:
        # Kept alive: a bare id would be given again to an object made after this one has gone.
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameObject) and other._value is self._value


def upload_source(data: Any, place: str = "") -> UploadSource:
    """Give the source for something that is meant to be uploaded.

    Args:
        data: A path, bytes, a binary file object, a data URI, Base64 text, or a `File`.
        place: Where it stands, for messages; empty for an argument.

    Raises:
        UnusableFileError: it is none of these, or cannot be read.
    """
    source = _text_source(data, place) if isinstance(data, str) else source_of(data, place=place)
    if source is not None:
        return source
    if isinstance(data, str):
        raise _unusable(data, place, "there is no such file, and it is neither a data URI nor Base64")
    raise _unusable(data, place, "expected a path, bytes, a binary file object, a data URI, Base64 or a File")


def is_file(value: Any) -> bool:
    """Tell whether a value is a file whatever it holds; a string never is."""
    if isinstance(value, (File, os.PathLike, bytes, bytearray, memoryview)):
        return True
    return callable(getattr(value, "read", None)) and not isinstance(value, type)


def source_of(value: Any, strings: StringRule = "explicit", place: str = "") -> UploadSource | None:
    """Give the source for a value of a task's input, None when it is not a file.

    Args:
        value: Anything. Paths, bytes, binary file objects and `File`s are always files.
        strings: Which strings are: see `ClientConfig.upload_strings`; with ``"text"`` none is.
        place: Where the value stands (`input.images[2]`), for messages.

    Raises:
        UnusableFileError: it is a file that cannot be uploaded (missing, a directory, malformed, text).
    """
    if isinstance(value, str):
        return _STRING_RULES[strings](value, place)
    if isinstance(value, File):
        return _file_source(value, place)
    if isinstance(value, os.PathLike):
        return _path_source(os.fspath(value), place)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_source(bytes(value), identity=_SameObject(value))
    return _stream_source(value, place) if is_file(value) else None


def _text_source(text: str, place: str) -> UploadSource | None:
    for path in (text, os.path.expanduser(text)):
        if os.path.exists(path):
            return _path_source(path, place)
    if means_data_uri(text):
        return _data_source(text, place)
    return _base64_source(text)


def _explicit(text: str, place: str) -> UploadSource | None:
    return _explicit_path(text, place) or _explicit_data(text, place)


def _explicit_path(text: str, place: str) -> UploadSource | None:
    # A text that names a network share must not even be looked at: Windows would log in there.
    if not text.startswith(_PATH_STARTS) and (not os.path.isabs(text) or text.startswith(("//", "\\\\"))):
        return None
    path = os.path.expanduser(text)
    return _path_source(path, place) if os.path.isfile(path) else None


def _explicit_data(text: str, place: str) -> UploadSource | None:
    return _data_source(text, place) if means_data_uri(text) else None


def _as_in_0_7_8(text: str, place: str) -> UploadSource | None:
    if os.path.exists(text):
        return _path_source(text, place)
    if text.startswith("data:"):
        return _legacy_data_source(text, place)
    return _base64_source(text)


def _as_text(_text: str, _place: str) -> None:
    return None


_STRING_RULES: dict[StringRule, Callable[[str, str], UploadSource | None]] = {
    "text": _as_text,
    "explicit": _explicit,
    "never": _explicit_data,
    "legacy": _as_in_0_7_8,
}


def _path_source(
    path: str | bytes, place: str, filename: str | None = None, content_type: str | None = None
) -> UploadSource:
    name = os.fsdecode(path)
    absolute, size = _regular_file(name, place)
    shown = filename or os.path.basename(name)
    kind = content_type or content_types.by_name(shown) or content_types.by_file(absolute)
    return UploadSource(
        open=partial(_opened, absolute),
        size=size,
        filename=shown,
        content_type=kind or content_types.DEFAULT,
        identity=("path", absolute, shown, kind),
    )


def _regular_file(name: str, place: str) -> tuple[str, int]:
    """Give real path and size of a file that can be read, so that a typo shows before anything is sent."""
    try:
        absolute = os.path.realpath(name)
        status = os.stat(absolute)
        if stat.S_ISREG(status.st_mode):
            _opened(absolute).close()
            return absolute, status.st_size
    except (OSError, ValueError) as error:
        raise _unusable(name, place, getattr(error, "strerror", None) or str(error)) from error
    raise _unusable(name, place, _kind_of(status.st_mode))


def _opened(path: str) -> BinaryIO:
    return open(path, "rb")


def _kind_of(mode: int) -> str:
    return (
        "it is a directory; upload its files one by one" if stat.S_ISDIR(mode) else "it is not a regular file"
    )


def _file_source(file: File, place: str) -> UploadSource:
    if not file.is_resolved() and file.is_local():
        return _data_source(str(file.uri), place, file.filename, file.content_type)
    try:
        path = file.path
    except ValueError as error:
        raise _unusable(file, place, str(error)) from error
    return _path_source(path, place, file.filename, file.content_type)


def _data_source(
    uri: str, place: str, filename: str | None = None, content_type: str | None = None
) -> UploadSource:
    try:
        content = parse_data_uri(uri)
    except DataURIError as error:
        raise UnusableFileError(f"{_at(place)}{error}") from error
    return _bytes_source(
        content.data,
        identity=("data", uri, filename, content_type),
        content_type=content_type or content.media_type,
        filename=filename,
    )


def _legacy_data_source(text: str, place: str) -> UploadSource:
    match = _LEGACY_DATA_URI.fullmatch(text)
    try:
        if match is None:
            raise _unusable(text, place, "expected data:type/subtype;base64,content")
        data = base64.b64decode(match[2])
    except binascii.Error as error:
        raise _unusable(text, place, f"its Base64 content is malformed: {error}") from error
    return _bytes_source(data, identity=("data", text), content_type=match[1])


def _base64_source(text: str) -> UploadSource | None:
    if len(text) < _BASE64_CHARACTERS or len(text) % 4 or not _BASE64.fullmatch(text):
        return None
    return _bytes_source(base64.b64decode(text), identity=("base64", text))


def _bytes_source(
    data: bytes,
    identity: Hashable,
    content_type: str | None = None,
    filename: str | None = None,
) -> UploadSource:
    kind = content_type or content_types.by_first_bytes(data) or content_types.DEFAULT
    return UploadSource(
        open=partial(io.BytesIO, data),
        size=len(data),
        filename=filename or f"file{content_types.extension_of(kind)}",
        content_type=kind,
        identity=identity,
    )


def _stream_source(stream: Any, place: str) -> UploadSource:
    if isinstance(stream, io.TextIOBase):
        raise _unusable(stream, place, 'it is open as text; open it with mode "rb"')
    try:
        return _seekable_source(stream, stream) if _is_seekable(stream) else _spooled_source(stream)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(stream, place, f"it cannot be read: {error}") from error


def _is_seekable(stream: Any) -> bool:
    seekable = getattr(stream, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(stream, "seek")


def _seekable_source(stream: Any, original: Any) -> UploadSource:
    """The content from the present position on; each reader starts there again."""
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END) - start
    stream.seek(start)
    head = stream.read(content_types.SNIFFED_BYTES)
    stream.seek(start)
    name = getattr(original, "name", None)
    filename = os.path.basename(name) if isinstance(name, str) else ""
    kind = content_types.by_name(filename) or content_types.by_first_bytes(head) or content_types.DEFAULT
    return UploadSource(
        open=partial(_reader_at, stream, start),
        size=size,
        filename=filename or f"file{content_types.extension_of(kind)}",
        content_type=kind,
        identity=_SameObject(original),
    )


def _spooled_source(stream: Any) -> UploadSource:
    # Read once and kept: what was sent in a failed try cannot be had from the stream again.
    with contextlib.ExitStack() as undo:
        copy = undo.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        source = _seekable_source(copy, stream)
        # Bound to the opener, which copies of the source made with other names share.
        weakref.finalize(source.open, undo.pop_all().close)
    return source


def _reader_at(stream: Any, start: int) -> BinaryIO:
    stream.seek(start)
    return cast("BinaryIO", _Borrowed(stream))


class _Borrowed(io.BufferedIOBase):
    """A reader whose closing leaves the caller's file open."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return cast("bytes", self._stream.read(-1 if size is None else size))


def _unusable(value: Any, place: str, reason: str) -> UnusableFileError:
    shown = repr(value)
    return UnusableFileError(
        f"{_at(place)}cannot upload {shown if len(shown) <= 200 else f'{shown[:200]}...'}: {reason}"
    )


def _at(place: str) -> str:
    return f"{place}: " if place else ""
