"""Bodies of requests, block by block; those of uploads are read beside the loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from inferencesh_core.errors import UploadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import BinaryIO

    from inferencesh_core.sources import UploadSource

LARGE_BODY_BYTES = 256 * 1024
"""Larger ones are sent piece by piece; others leave together with their head."""

READ_BLOCK_BYTES = 1024 * 1024
TLS_BLOCK_BYTES = 256 * 1024
"""What is encrypted in one go: it is how long the loop is held."""


class Blocks:
    """Reads a body; close it afterwards.

    Args:
        body: What to read.
    """

    def __init__(self, body: UploadSource | bytes) -> None:
        self._body = body
        """What is left to begin with; ``b""`` once all has been read."""
        self._file: BinaryIO | None = None
        self._left: float = 0
        self._reading: asyncio.Future[bytes] | None = None

    def next(self) -> asyncio.Future[bytes]:
        """Read the next block, ``b""`` at the end. Who leaves it alone must not cancel it.

        It fails with an `UploadError` when the file cannot be read.
        """
        loop = asyncio.get_running_loop()
        if not isinstance(self._body, bytes):
            self._reading = loop.run_in_executor(None, self._read, self._body)
            return self._reading
        self._reading = loop.create_future()
        self._reading.set_result(self._body)
        self._body = b""
        return self._reading

    def close(self) -> None:
        """Close the file; one that is being read just now, when that is over."""
        if self._reading is None or self._reading.done():
            self._close_file()
        else:
            self._reading.add_done_callback(self._close_later)

    def _read(self, source: UploadSource) -> bytes:
        try:
            if self._file is None:
                self._file = source.reader()
                self._left = math.inf if source.size is None else source.size
            # Looking for an end that is known lets the answer come first, and costs the connection.
            block = self._file.read(READ_BLOCK_BYTES) if self._left > 0 else b""
        except OSError as error:
            raise UploadError(f"{source.filename} cannot be read: {error}") from error
        self._left -= len(block)
        if self._left <= 0:
            self._body = b""  # its end is known, and needs no thread
        return block

    def _close_later(self, reading: asyncio.Future[bytes]) -> None:
        if not reading.cancelled():
            reading.exception()  # nobody wants to know any more, and asyncio would complain
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()


def parts_of(block: bytes, *, encrypted: bool) -> Iterator[memoryview]:
    """Give a block in parts that may be sent in one go."""
    size = TLS_BLOCK_BYTES if encrypted else READ_BLOCK_BYTES
    return (memoryview(block)[start : start + size] for start in range(0, len(block), size))


async def blocks_of(
    body: UploadSource | bytes, started: Callable[[], None], *, encrypted: bool
) -> AsyncIterator[memoryview]:
    """Give a body part by part; ``started`` is called before the first is read."""
    blocks = Blocks(body)
    started()
    try:
        while block := await asyncio.shield(blocks.next()):
            for part in parts_of(block, encrypted=encrypted):
                yield part
    finally:
        blocks.close()
