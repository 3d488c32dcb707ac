"""Bodies that come compressed, though nobody asked for it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKED = frozenset({"gzip", "x-gzip", "deflate"})

MOST_AT_ONCE = 64 * 1024 * 1024
"""What a block may hold, in bytes unpacked: a few kilobytes can be made to hold gigabytes."""

_EITHER_HEADER = zlib.MAX_WBITS | 32


def unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """Give what unpacks a body of this ``Content-Encoding``, block by block; others it hands on as they are.

    It raises `ValueError` for what is not packed as it says.
    """
    return _Unpacker() if encoding.strip().lower() in _PACKED else bytes


class _Unpacker:
    def __init__(self) -> None:
        self._member = zlib.decompressobj(_EITHER_HEADER)

    def __call__(self, block: bytes) -> bytes:
        unpacked, room = [], MOST_AT_ONCE
        try:
            while block:
                if self._member.eof:
                    self._member = zlib.decompressobj(_EITHER_HEADER)
                unpacked.append(self._member.decompress(block, room + 1))
                room -= len(unpacked[-1])
                if room < 0:
                    raise ValueError(f"a body has more than {MOST_AT_ONCE} bytes packed into a block")
                block = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise ValueError("a body is not packed as it says") from error
        return b"".join(unpacked)
