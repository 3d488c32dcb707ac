"""The folder of downloads keeps to its limits, and to what is in use."""

from __future__ import annotations

import os
import threading

import pytest

from inferencesh_core.cache_entry import CacheEntry, Record, save_record
from inferencesh_engine.download_cache import prune


@pytest.fixture
def cached(tmp_path):
    def make(name, size, used_at, *, part=False):
        entry = CacheEntry(tmp_path / name)
        with entry.locked():
            file = entry.part if part else entry.body
            file.write_bytes(b"x" * size)
            os.utime(file, (used_at, used_at))
            save_record(entry.part_record if part else entry.record, Record(size=size))
        return entry

    return make


def pruned(folder, **limits):
    prune(folder, **{"max_bytes": 100, "expired_before": 0.0, "in_use_since": 1e9, **limits})
    return sorted(each.name for each in folder.iterdir())


def bodies(names):
    return [name for name in names if not name.startswith(".")]


def test_what_fits_exactly_stays_and_one_byte_over_the_longest_unused_goes(tmp_path, cached):
    cached("new.png", 60, used_at=20)
    cached("old.png", 40, used_at=10)
    assert bodies(pruned(tmp_path, max_bytes=100)) == ["new.png", "old.png"]
    left = pruned(tmp_path, max_bytes=99)
    assert bodies(left) == ["new.png"]
    assert not any("old.png" in name for name in left)


def test_what_is_one_second_too_old_goes_however_small(tmp_path, cached):
    cached("a", 1, used_at=99)
    cached("b", 1, used_at=100)
    assert bodies(pruned(tmp_path, expired_before=100.0)) == ["b"]


def test_half_a_download_counts_and_goes_like_a_whole_one(tmp_path, cached):
    cached("half", 100, used_at=10, part=True)
    cached("whole", 1, used_at=20)
    left = pruned(tmp_path, max_bytes=100)
    assert bodies(left) == ["whole"]
    assert not any("half" in name for name in left)


def test_what_a_running_task_may_use_stays_though_it_is_too_much(tmp_path, cached):
    cached("before", 500, used_at=49)
    cached("since", 500, used_at=50)
    assert bodies(pruned(tmp_path, max_bytes=0, expired_before=1e9, in_use_since=50.0)) == ["since"]


def test_what_is_being_written_stays(tmp_path, cached):
    entry = cached("busy", 500, used_at=1)
    with entry.locked():
        assert bodies(pruned(tmp_path, max_bytes=0)) == ["busy"]
    assert pruned(tmp_path, max_bytes=0) == []


def test_a_cache_that_nobody_has_used_is_empty(tmp_path):
    prune(tmp_path / "nowhere", max_bytes=0, expired_before=1e9, in_use_since=1e9)


def test_two_holders_never_share_an_entry_that_is_removed_between_them(tmp_path):
    entry, inside, most = CacheEntry(tmp_path / "e"), [0], [0]

    def hold():
        for _ in range(200):
            with entry.locked():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
            entry.remove()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_using_a_copy_again_makes_it_young(tmp_path, monkeypatch):
    monkeypatch.setenv("FILE_CACHE_DIR", str(tmp_path))
    entry = CacheEntry.of_data("data:,x", ".txt")
    entry.store(b"x")
    os.utime(entry.body, (1, 1))
    entry.store(b"x")
    assert entry.body.stat().st_mtime > 1
