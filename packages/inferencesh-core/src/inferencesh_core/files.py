"""Files: uploading them by hand, and those found in the input of a task."""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

from . import content_types
from .errors import APIError, TransportError, UploadError
from .flow.effects import gather
from .flow.faces import Async, Face, Sync, operation
from .input_files import replace_files
from .sources import upload_source
from .timed import unlimited

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import BinaryIO, TypeAlias

    from .context import ClientContext
    from .file import File
    from .flow.effects import Flow
    from .sources import UploadSource
    from .timed import TimeLeft

    Uploadable: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | File"
    UploadOptions: TypeAlias = "UploadFileOptions | Mapping[str, Any] | None"
    Progress: TypeAlias = Callable[[int, int | None], None]


@dataclass
class UploadFileOptions:
    """How a file is stored. It is only read, so one object may serve many uploads.

    Attributes:
        filename: Its name, in place of the path's.
        content_type: Its media type, in place of the guessed one.
        path: The storage path wanted.
        public: Whether anyone may read it; ``None`` leaves that to the server.
    """

    filename: str | None = None
    content_type: str | None = None
    path: str | None = None
    public: bool | None = None


class Files:
    """The file routes."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._config = context.config
        self._hooks = context.hooks

    def upload(
        self,
        data: Uploadable,
        options: UploadOptions = None,
        *,
        on_progress: Progress | None = None,
    ) -> Flow[dict[str, Any]]:
        """Upload a file.

        Args:
            data: A path, bytes, a binary file object, a data URI, Base64 text, or a `File`.
            options: Name, type and visibility, as `UploadFileOptions` or a mapping of its fields.
            on_progress: Called with the bytes sent so far and the size in bytes (``None`` when unknown); it
                starts again from 0 when a try failed. A plain function, called where the file is read: on the
                caller's thread, or with an asynchronous client on another one, while its loop goes on.

        Returns:
            The file as the API gives it: ``uri`` goes into task input; also ``id``, ``filename``, ….

        Raises:
            TypeError: ``on_progress`` is a coroutine function, or ``options`` are none.
            UploadError: the value cannot be read, or not stored.
            APIError: the server refused.
        """
        wanted = _options_of(options)
        _check_progress(on_progress)
        return (yield from self._stored(upload_source(data), wanted, on_progress, unlimited))

    def uploaded(self, value: Any, time_left: TimeLeft = unlimited) -> Flow[Any]:
        """Upload the files inside a task's input, each once, and give the input with their addresses.

        Args:
            value: The input.
            time_left: Asked before each call how long it may take.

        Raises:
            UploadError: a file cannot be read or stored; the text says where it stands.
        """
        plan = replace_files(value, self._config.upload_strings, self._hooks.upload_source)
        if not plan.sources:
            return plan.build(())
        usual = UploadFileOptions()
        flows = (self._stored(source, usual, None, time_left) for source in plan.sources)
        files = yield from gather(flows, self._config.upload_concurrency)
        return plan.build([file["uri"] for file in files])

    def _stored(
        self,
        source: UploadSource,
        options: UploadFileOptions,
        on_progress: Progress | None,
        time_left: TimeLeft,
    ) -> Flow[dict[str, Any]]:
        content_type = options.content_type or _content_type(source, options.filename)
        wanted = {
            "uri": "",
            "filename": options.filename or source.filename,
            "content_type": content_type,
            "path": options.path,
            "size": source.size,
            "public": options.public,
        }
        seconds = yield from time_left()
        created = yield from self._api.call(
            "POST", "/files", {"files": [wanted]}, creates=True, seconds=seconds
        )
        file = created[0] if isinstance(created, list) and created else None
        if not isinstance(file, dict) or not file.get("upload_url"):
            raise UploadError(
                f"{wanted['filename']}: the server gave no address to upload to, but {created!r:.80}"
            )
        watched = source if on_progress is None else _watched(source, on_progress)
        seconds = yield from time_left()
        try:
            yield from self._api.put(file["upload_url"], {"Content-Type": content_type}, watched, seconds)
        except APIError as error:
            raise UploadError(f"{wanted['filename']}: the store refused it: {error}") from error
        except TransportError as error:
            raise UploadError(f"{wanted['filename']}: the store cannot be reached: {error}") from error
        return file


def _options_of(options: UploadOptions) -> UploadFileOptions:
    if isinstance(options, UploadFileOptions):
        return options
    names = {field.name for field in fields(UploadFileOptions)}
    given: Any = {} if options is None else options
    if not isinstance(given, Mapping) or given.keys() - names:
        raise TypeError(
            f"the options of an upload are an UploadFileOptions, or a mapping of {sorted(names)}, "
            f"not {options!r:.80}"
        )
    return UploadFileOptions(**given)


def _check_progress(on_progress: Any) -> None:
    # A coroutine would be made at each call, and nobody would be there to await it.
    if any(map(inspect.iscoroutinefunction, (on_progress, getattr(on_progress, "__call__", None)))):  # noqa: B004
        raise TypeError(
            "on_progress must be a plain function: it is called where the file is read, which is no place to "
            "await; loop.call_soon_threadsafe brings what it is told to an event loop"
        )
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress must be a function of two numbers, not {on_progress!r:.80}")


def _content_type(source: UploadSource, filename: str | None) -> str:
    """What the content shows, else what the name tells that the caller gave it."""
    if filename is None or source.content_type != content_types.DEFAULT:
        return source.content_type
    return content_types.by_name(filename) or source.content_type


def _watched(source: UploadSource, on_progress: Progress) -> UploadSource:
    """Give a source whose readers tell how far they are."""
    return replace(source, open=lambda: cast("BinaryIO", _Watched(source.open(), source.size, on_progress)))


class _Watched(io.BufferedIOBase):
    def __init__(self, file: BinaryIO, size: int | None, on_progress: Progress) -> None:
        self._file = file
        self._size = size
        self._on_progress = on_progress
        self._sent = 0
        on_progress(0, size)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(-1 if size is None else size)
        if data:
            self._sent += len(data)
            self._on_progress(self._sent, self._size)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


class _FilesFace(Face[Files]):
    subject_type = Files

    upload = operation(Files.upload)


class FilesAPI(Sync, _FilesFace):
    """``client.files``."""


class AsyncFilesAPI(Async, _FilesFace):
    """``client.files`` of an asynchronous client."""
