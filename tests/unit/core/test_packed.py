"""Packed bodies, block by block."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.http.packed import MOST_AT_ONCE, unpacker


@given(st.lists(st.binary(max_size=500), max_size=5), st.integers(1, 100))
def test_members_come_together_however_they_are_cut(contents, length):
    packed = b"".join(map(gzip.compress, contents))
    unpack = unpacker("gzip")
    blocks = (packed[start : start + length] for start in range(0, len(packed), length))
    assert b"".join(map(unpack, blocks)) == b"".join(contents)


def test_a_block_that_holds_more_than_memory_should_is_refused():
    assert unpacker("gzip")(gzip.compress(bytes(MOST_AT_ONCE))) == bytes(MOST_AT_ONCE)
    with pytest.raises(ValueError, match="packed into a block"):
        unpacker("gzip")(gzip.compress(bytes(MOST_AT_ONCE + 1)))
    with pytest.raises(ValueError, match="packed into a block"):
        unpacker("gzip")(gzip.compress(bytes(MOST_AT_ONCE)) + gzip.compress(b"x"))
