"""Bodies of requests, block by block; those of uploads are read beside the loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from typing import BinaryIO

    from inferencesh_core.sources import UploadSource

READ_BLOCK_BYTES = 1024 * 1024
TLS_BLOCK_BYTES = 256 * 1024
"""What is encrypted in one go: it is how long the loop is held."""


async def blocks_of(
    body: UploadSource | bytes, started: Callable[[], None], *, encrypted: bool
) -> AsyncGenerator[memoryview, None]:
    """Give a body block by block; ``started`` is called before the first is read."""
    size = TLS_BLOCK_BYTES if encrypted else READ_BLOCK_BYTES
    started()
    if isinstance(body, bytes):
        for part in _parts(body, size):
            yield part
        return
    left = math.inf if body.size is None else body.size
    file = await _opened(body)
    try:
        # Looking for an end that is known lets the answer come first, and costs the connection.
        while left > 0 and (block := await asyncio.to_thread(file.read, READ_BLOCK_BYTES)):
            left -= len(block)
            for part in _parts(block, size):
                yield part
    finally:
        file.close()


def _parts(block: bytes, size: int) -> Iterator[memoryview]:
    return (memoryview(block)[start : start + size] for start in range(0, len(block), size))


async def _opened(source: UploadSource) -> BinaryIO:
    # No task, which the end of the loop would cancel, and lose what it opened.
    opening = asyncio.get_running_loop().run_in_executor(None, source.reader)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_it)  # the thread goes on, and what it opens nobody else knows
        raise


def _close_it(opening: asyncio.Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
