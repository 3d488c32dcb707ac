"""File content on disk. A blob is complete or absent: nobody ever sees half of one."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .domain.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

BLOBS_FOLDER = "blobs"
"""Where blobs are, in an engine's state folder."""

COPY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """What was written: bytes, and their SHA-256 in hexadecimal."""

    size: int
    digest: str


class Blobs:
    """Blobs by file id in one folder.

    Every call blocks; callers on an event loop use a thread.

    Attributes:
        max_bytes: The largest blob taken; one byte more is a 413 problem.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._root = root
        self._incoming = root / "incoming"

    def open(self) -> None:
        """Make the folders, and remove what an earlier engine did not finish writing."""
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in self._incoming.iterdir():
            unfinished.unlink()

    def path(self, file_id: str) -> Path:
        """Where the blob of this file is, or would be."""
        return self._root / file_id

    def incoming(self, file_id: str) -> Incoming:
        """Begin to write the blob of this file; it appears with `commit`, all at once."""
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._incoming / f"{file_id}.{secrets.token_hex(4)}"
        return Incoming(unfinished, self.path(file_id), self.max_bytes)

    def put_file(self, file_id: str, source: Path) -> Stored:
        """Copy a local file into the blob.

        It is no hard link: apps write their next result over the last one, which would change the blob too.
        """
        with self.incoming(file_id) as incoming, source.open("rb") as content:
            while chunk := content.read(COPY_BYTES):
                incoming.write(chunk)
            return incoming.commit()

    def delete(self, file_id: str) -> None:
        """Remove the blob, if there is one."""
        self.path(file_id).unlink(missing_ok=True)


class Incoming:
    """A blob being written. Leaving the `with` block without `commit` leaves nothing behind."""

    def __init__(self, unfinished: Path, final: Path, max_bytes: int) -> None:
        self._unfinished = unfinished
        self._final = final
        self._max_bytes = max_bytes
        self._size = 0
        self._digest = hashlib.sha256()
        self._file = os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 0)

    def write(self, data: bytes | bytearray) -> None:
        """Append; raises a 413 problem once the blob is larger than the limit."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise too_large(self._max_bytes)
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def commit(self) -> Stored:
        """Make it durable, then visible."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.replace(self._final)
        _sync_folder(self._final.parent)
        return Stored(self._size, self._digest.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def too_large(max_bytes: int) -> Problem:
    """413: the file is larger than this engine takes."""
    return Problem(413, "file_too_large", f"the file is larger than this engine takes ({max_bytes} bytes)")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
