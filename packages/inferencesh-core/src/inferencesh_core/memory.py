"""Memory for large blocks that come one after another."""

from __future__ import annotations

from functools import cache

WORTH_KEEPING = 64 * 1024
"""Bytes; see `keep_memory`."""

_KEPT_BYTES = 4 * 1024 * 1024


@cache
def keep_memory() -> None:
    """Have the memory of what is freed used for what comes next, for blocks of up to 4 MiB.

    The allocator of glibc maps each block over 128 KiB afresh, until one as large has been freed: see
    M_MMAP_THRESHOLD in mallopt(3). The system clears each page of it, which takes longer than filling it: an
    answer that grows would pay for that with every line. Elsewhere this does nothing.
    """
    bytes(_KEPT_BYTES)
