"""The chunked transfer coding, however the network cuts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.http.chunks import ChunkDecoder, ChunkError

# Many small ones, as events make them, and pages of one size, as a proxy does.
CONTENTS = (
    st.lists(st.binary(min_size=1, max_size=400), max_size=8)
    | st.lists(st.binary(min_size=1, max_size=3), max_size=120)
    | st.integers(1, 3000).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), max_size=6))
)
CUTS = st.lists(st.integers(min_value=1, max_value=300) | st.integers(1, 9000), min_size=1)

BEFORE, AFTER = b"what was there before ", b" 1\r\nand what is behind\r\n"


def fed(decoder, piece):
    """The content of a piece that is handed over."""
    return decoder.feed(piece)


def stripped(decoder, piece):
    """The content of a piece that lies in a block, which keeps its size and what is around the piece."""
    block = bytearray(BEFORE + piece + AFTER)
    start, end = len(BEFORE), len(BEFORE) + len(piece)
    stop = decoder.strip(block, start, end)
    assert start <= stop <= end
    assert (block[:start], block[end:]) == (BEFORE, AFTER)
    return bytes(block[start:stop])


WAYS = pytest.mark.parametrize("take", [fed, stripped])


def framed(contents, *, size="%x", extension=b"", trailer=b""):
    chunks = (b"%s%s\r\n%s\r\n" % ((size % len(each)).encode(), extension, each) for each in contents)
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def pieces_of(wire, cuts):
    """Cut the bytes again and again at the given lengths."""
    position = turn = 0
    while position < len(wire):
        length = cuts[turn % len(cuts)]
        yield wire[position : position + length]
        position, turn = position + length, turn + 1


@WAYS
@given(
    contents=CONTENTS,
    cuts=CUTS,
    size=st.sampled_from(["%x", "%X", "00%x"]),
    extension=st.sampled_from([b"", b";name=value"]),
)
def test_any_cut_of_a_body_gives_its_content(take, contents, cuts, size, extension):
    decoder = ChunkDecoder()
    wire = framed(contents, size=size, extension=extension)
    assert b"".join(take(decoder, piece) for piece in pieces_of(wire, cuts)) == b"".join(contents)
    assert decoder.finished


@WAYS
@given(contents=CONTENTS, cuts=CUTS)
def test_a_trailer_is_passed_over(take, contents, cuts):
    decoder = ChunkDecoder()
    wire = framed(contents, trailer=b"Digest: abc\r\nOther: 1\r\n")
    assert b"".join(take(decoder, piece) for piece in pieces_of(wire, cuts)) == b"".join(contents)
    assert decoder.finished


@WAYS
@given(contents=CONTENTS, data=st.data())
def test_a_body_that_breaks_off_is_not_finished(take, contents, data):
    wire = framed(contents)
    decoder = ChunkDecoder()
    take(decoder, wire[: data.draw(st.integers(0, len(wire) - 1))])
    assert not decoder.finished


@given(
    CONTENTS,
    CUTS,
    st.sampled_from([b"", b"Digest: abc\r\n"]),
    st.sampled_from([b"", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]),
)
def test_both_ways_are_as_far_after_every_piece(contents, cuts, trailer, excess):
    feeding, stripping = ChunkDecoder(), ChunkDecoder()
    for piece in pieces_of(framed(contents, trailer=trailer), cuts):
        assert stripped(stripping, piece) == fed(feeding, piece)
        assert stripping.finished == feeding.finished
    assert (feeding.has_excess, stripping.has_excess) == (False, False)
    together = ChunkDecoder(), ChunkDecoder()
    wire = framed(contents, trailer=trailer) + excess
    assert stripped(together[0], wire) == fed(together[1], wire) == b"".join(contents)
    assert [decoder.has_excess for decoder in together] == [bool(excess)] * 2


@pytest.mark.parametrize(
    "wire",
    [
        b"xyz\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b"+1\r\na\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"\r\n\r\n",
        b"3\r\nabcdef\r\n",
        b"1" * 5000,
    ],
)
@WAYS
def test_broken_framing_is_an_error(take, wire):
    with pytest.raises(ChunkError):
        take(ChunkDecoder(), wire)


@WAYS
@pytest.mark.parametrize("size", [3, 2000])
def test_a_chunk_that_runs_on_among_others_of_its_size_is_an_error(take, size):
    pages = framed([b"x" * size] * 3)
    with pytest.raises(ChunkError):
        take(ChunkDecoder(), pages.replace(b"\r\n0", b"more\r\n0"))
