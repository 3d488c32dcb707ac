"""Keeping the folder of downloaded input files within limits: what was not used for longest goes first."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferencesh_core.cache_entry import CacheEntry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CACHE_FOLDER = "cache"
"""Where workers keep what they download, in an engine's state folder."""


@dataclass(frozen=True)
class _Kept:
    """A file in the cache, or what there is of one."""

    used_at: float
    size: int
    entry: CacheEntry


def prune(folder: Path, *, max_bytes: int, expired_before: float, in_use_since: float) -> None:
    """Remove what was last used before `expired_before`, then the longest unused while it is too much.

    What was used at `in_use_since` or later stays in any case: a task that runs may have its path. An entry
    that is being written stays as well. Times are Unix seconds. Blocks.
    """
    kept = sorted(_entries(folder), key=lambda each: each.used_at)
    total = sum(each.size for each in kept)
    for each in kept:
        if each.used_at >= in_use_since or (each.used_at >= expired_before and total <= max_bytes):
            return
        if each.entry.remove():
            total -= each.size


def _entries(folder: Path) -> Iterator[_Kept]:
    if not folder.is_dir():
        return
    for body in {CacheEntry.owner_of(file).body for file in folder.iterdir()}:
        entry = CacheEntry(body)
        stats = []
        for file in (entry.body, entry.part):
            with suppress(FileNotFoundError):
                stats.append(file.stat())
        if stats:
            yield _Kept(max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats), entry)
