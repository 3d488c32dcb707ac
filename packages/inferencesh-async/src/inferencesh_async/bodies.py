"""Bodies of uploads, read beside the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import BinaryIO

    from inferencesh_core.sources import UploadSource

READ_BLOCK_BYTES = 1024 * 1024
SEND_BLOCK_BYTES = 256 * 1024
"""What is encrypted and sent in one go: it is how long the loop is held."""


async def blocks_of(source: UploadSource, started: Callable[[], None]) -> AsyncIterator[memoryview]:
    """Give a body block by block, read on a thread; ``started`` is called before the first is read."""
    started()
    file: BinaryIO = await asyncio.to_thread(source.open)
    try:
        while block := await asyncio.to_thread(file.read, READ_BLOCK_BYTES):
            for start in range(0, len(block), SEND_BLOCK_BYTES):
                yield memoryview(block)[start : start + SEND_BLOCK_BYTES]
    finally:
        file.close()
