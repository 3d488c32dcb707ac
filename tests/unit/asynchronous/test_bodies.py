"""Bodies of uploads, read block by block."""

import asyncio
import io

import pytest

from inferencesh_async.bodies import READ_BLOCK_BYTES, TLS_BLOCK_BYTES, blocks_of
from inferencesh_core.sources import UploadSource

CONTENT = bytes(range(256)) * 6000


class Counting(io.BytesIO):
    reads = 0

    def read(self, size=-1):
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize(
    ("size", "reads"), [(len(CONTENT), 2), (None, 3)], ids=["known size", "unknown size"]
)
def test_a_body_comes_whole_and_its_end_is_looked_for_only_where_it_is_not_known(encrypted, size, reads):
    file = Counting(CONTENT)
    source = UploadSource(lambda: file, size, "f.bin", "application/octet-stream", identity=1)

    async def main():
        return [bytes(block) async for block in blocks_of(source, lambda: None, encrypted=encrypted)]

    blocks = asyncio.run(main())
    assert b"".join(blocks) == CONTENT
    assert max(map(len, blocks)) == (TLS_BLOCK_BYTES if encrypted else READ_BLOCK_BYTES)
    assert (file.reads, file.closed) == (reads, True)
