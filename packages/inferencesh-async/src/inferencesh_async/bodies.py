"""Bodies of uploads, read beside the loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import BinaryIO

    from inferencesh_core.sources import UploadSource

READ_BLOCK_BYTES = 1024 * 1024
TLS_BLOCK_BYTES = 256 * 1024
"""What is encrypted in one go: it is how long the loop is held."""


async def blocks_of(
    source: UploadSource, started: Callable[[], None], *, encrypted: bool
) -> AsyncIterator[memoryview]:
    """Give a body block by block, read on a thread; ``started`` is called before the first is read."""
    size = TLS_BLOCK_BYTES if encrypted else READ_BLOCK_BYTES
    left = math.inf if source.size is None else source.size
    started()
    file: BinaryIO = await asyncio.to_thread(source.reader)
    try:
        # Looking for an end that is known lets the answer come first, and costs the connection.
        while left > 0 and (block := await asyncio.to_thread(file.read, READ_BLOCK_BYTES)):
            left -= len(block)
            for start in range(0, len(block), size):
                yield memoryview(block)[start : start + size]
    finally:
        file.close()
