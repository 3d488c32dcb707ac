"""A blob is complete or absent."""

from __future__ import annotations

import hashlib

import pytest

from inferencesh_engine.blobs import Blobs
from inferencesh_engine.domain.problems import Problem


@pytest.fixture
def blobs(tmp_path):
    opened = Blobs(tmp_path / "blobs", max_bytes=10)
    opened.open()
    return opened


def files_under(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_blob_appears_when_it_is_committed(blobs, tmp_path):
    with blobs.incoming("f1") as incoming:
        incoming.write(b"hello")
        assert not blobs.path("f1").exists()
        incoming.write(bytearray(b"!"))
        stored = incoming.commit()
    assert blobs.path("f1").read_bytes() == b"hello!"
    assert (stored.size, stored.digest) == (6, hashlib.sha256(b"hello!").hexdigest())
    assert files_under(tmp_path) == ["f1"]


def test_a_blob_that_was_given_up_leaves_nothing(blobs, tmp_path):
    with blobs.incoming("f1") as incoming:
        incoming.write(b"hel")
    assert files_under(tmp_path) == []


def test_one_byte_over_the_limit_is_refused_and_leaves_nothing(blobs, tmp_path):
    with blobs.incoming("f1") as incoming:
        incoming.write(b"0123456789")
        with pytest.raises(Problem) as caught:
            incoming.write(b"!")
    assert caught.value.status == 413
    assert files_under(tmp_path) == []


def test_a_copied_file_stays_as_it_was_when_the_app_writes_over_its_own(blobs, tmp_path):
    source = tmp_path / "out.txt"
    source.write_bytes(b"first")
    blobs.put_file("f1", source)
    source.write_bytes(b"second")
    assert blobs.path("f1").read_bytes() == b"first"


def test_what_a_killed_engine_left_half_written_is_removed(blobs, tmp_path):
    incoming = blobs.incoming("f1")
    incoming.write(b"half")
    incoming._file.close()
    assert len(files_under(tmp_path)) == 1
    blobs.open()
    assert files_under(tmp_path) == []


def test_deleting_twice_is_no_error(blobs):
    with blobs.incoming("f1") as incoming:
        incoming.commit()
    blobs.delete("f1")
    blobs.delete("f1")
    assert not blobs.path("f1").exists()
