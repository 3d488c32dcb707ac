"""The chunked transfer coding, however the network cuts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.http.chunks import ChunkDecoder, ChunkError

# Many small ones, as events make them, and pages of one size, as a proxy does.
CONTENTS = st.lists(st.binary(min_size=1, max_size=400), max_size=8) | st.integers(1, 3000).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size), max_size=6)
)
CUTS = st.lists(st.integers(min_value=1, max_value=300), min_size=1)


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


@given(CONTENTS, CUTS, st.sampled_from(["%x", "%X", "00%x"]), st.sampled_from([b"", b";name=value"]))
def test_any_cut_of_a_body_gives_its_content(contents, cuts, size, extension):
    decoder = ChunkDecoder()
    wire = framed(contents, size=size, extension=extension)
    assert b"".join(map(decoder.feed, pieces_of(wire, cuts))) == b"".join(contents)
    assert decoder.finished


@given(CONTENTS, CUTS)
def test_a_trailer_is_passed_over(contents, cuts):
    decoder = ChunkDecoder()
    wire = framed(contents, trailer=b"Digest: abc\r\nOther: 1\r\n")
    assert b"".join(map(decoder.feed, pieces_of(wire, cuts))) == b"".join(contents)
    assert decoder.finished


@given(CONTENTS, st.data())
def test_a_body_that_breaks_off_is_not_finished(contents, data):
    wire = framed(contents)
    decoder = ChunkDecoder()
    decoder.feed(wire[: data.draw(st.integers(0, len(wire) - 1))])
    assert not decoder.finished


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
def test_broken_framing_is_an_error(wire):
    with pytest.raises(ChunkError):
        ChunkDecoder().feed(wire)


@pytest.mark.parametrize("size", [3, 2000])
def test_a_chunk_that_runs_on_among_others_of_its_size_is_an_error(size):
    pages = framed([b"x" * size] * 3)
    with pytest.raises(ChunkError):
        ChunkDecoder().feed(pages.replace(b"\r\n0", b"more\r\n0"))
