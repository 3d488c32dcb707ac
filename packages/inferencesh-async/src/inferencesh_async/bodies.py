"""Bodies of uploads, read beside the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import BinaryIO

    from inferencesh_core.sources import UploadSource

SEND_BLOCK_BYTES = 1024 * 1024


async def blocks_of(source: UploadSource, started: Callable[[], None]) -> AsyncIterator[bytes]:
    """Give a body block by block, read on a thread; ``started`` is called before the first is read."""
    started()
    file: BinaryIO = await asyncio.to_thread(source.open)
    try:
        while block := await asyncio.to_thread(file.read, SEND_BLOCK_BYTES):
            yield block
    finally:
        file.close()
