"""Readers of bodies whose length has been announced: they give that many bytes, or say why they cannot.

A file may grow or shrink while it is sent. What goes beyond the announced length would be taken for the next
request on the connection, and a body that ends early is waited for until somebody's patience ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UploadError

if TYPE_CHECKING:
    from typing import BinaryIO


class AnnouncedReader:
    """Reads a file up to the size that was announced for it.

    Args:
        file: What to read; closed with this.
        size: In bytes.
        name: What to call the file in messages.
    """

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file = file
        self._size = size
        self._left = size
        self._name = name

    def read(self, size: int | None = -1, /) -> bytes:
        """Give at most ``size`` bytes, ``b""`` only when all that was announced has been given.

        Raises:
            UploadError: the file ended before that, or cannot be read.
        """
        if not self._left:
            return b""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        try:
            data = self._file.read(wanted)
        except OSError as error:
            raise UploadError(f"{self._name} cannot be read while it is sent: {error}") from error
        if not data and wanted:
            raise UploadError(
                f"{self._name} changed while it was sent: {self._size} bytes announced, "
                f"{self._size - self._left} there"
            )
        # A reader that gives more than it was asked for is not the caller's to trust either.
        data = data[:wanted]
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
