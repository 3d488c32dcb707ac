"""Bodies of streams that pass aiohttp by: who gets which bytes, and when the socket is read."""

import asyncio
from itertools import pairwise

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_async.chunked_body import READ_BUFFER_BYTES, ChunkedBody

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Connection(asyncio.Transport):
    """A connection that remembers whom it tells what comes, and whether it is read."""

    def __init__(self):
        super().__init__()
        self.protocol, self.is_read, self.is_aborted = None, True, False

    def set_protocol(self, protocol):
        self.protocol = protocol

    def get_protocol(self):
        return self.protocol

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True

    def abort(self):
        self.is_aborted = True


class Parser(asyncio.Protocol):
    """What stands for aiohttp."""

    def __init__(self):
        self.received, self.losses = b"", []

    def data_received(self, data):
        self.received += data

    def connection_lost(self, exc):
        self.losses.append(exc)


class Bench:
    """A body, and both ends it stands between."""

    def __init__(self):
        self.connection, self.parser = Connection(), Parser()
        self.body = ChunkedBody(self.connection, self.parser)

    def receive(self, *pieces):
        for piece in pieces:
            self.connection.protocol.data_received(piece)

    def read_all(self):
        return b"".join(iter(self.body.read_nowait, b""))


def chunk(content):
    return b"%x\r\n%b\r\n" % (len(content), content)


def cut_at(wire, places):
    edges = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
    return [wire[start:end] for start, end in pairwise(edges)]


@given(
    hints=st.integers(0, 2),
    head=st.sampled_from([HEAD, HEAD.replace(b"\r\n", b"\n")]),
    contents=st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    places=st.lists(st.integers(min_value=0), max_size=6),
    takes_over_after=st.integers(0, 6),
)
def test_aiohttp_gets_the_heads_and_the_end_and_the_reader_all_between(
    hints, head, contents, places, takes_over_after
):
    bench = Bench()
    wire = EARLY_HINTS * hints + head + b"".join(map(chunk, contents)) + LAST_CHUNK
    heads = EARLY_HINTS * hints + head
    is_taken_over = False
    for number, piece in enumerate(cut_at(wire, places)):
        bench.receive(piece)
        if not is_taken_over and bench.parser.received == heads and number >= takes_over_after:
            bench.body.take_over()
            is_taken_over = True
    if not is_taken_over:
        bench.body.take_over()
    assert bench.read_all() == b"".join(contents)
    assert bench.parser.received == heads + LAST_CHUNK
    assert bench.connection.protocol is bench.parser


@given(places=st.lists(st.integers(min_value=0), max_size=4))
def test_a_body_that_is_not_chunked_is_left_to_aiohttp(places):
    bench = Bench()
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    *pieces, last = cut_at(wire, places)
    bench.receive(*pieces)
    bench.body.leave_to_aiohttp()
    bench.receive(last)
    assert bench.parser.received == wire


def test_a_head_without_end_is_aiohttps_to_complain_of():
    bench = Bench()
    bench.receive(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 50_000)
    assert bench.connection.protocol is bench.parser
    assert bench.connection.is_read


def test_the_socket_is_read_no_more_while_the_reader_is_behind():
    bench = Bench()
    bench.receive(HEAD)
    bench.body.take_over()
    bench.receive(*[chunk(b"x" * 100_000)] * 3)
    assert not bench.connection.is_read
    assert bench.body.read_nowait() == b"x" * 300_000
    assert bench.connection.is_read


def test_the_socket_is_read_no_more_while_nobody_has_taken_the_body():
    bench = Bench()
    bench.receive(HEAD, *[chunk(b"x" * 100_000)] * 3)
    assert not bench.connection.is_read
    bench.body.take_over()
    assert len(bench.read_all()) == 300_000 > READ_BUFFER_BYTES
    assert bench.connection.is_read


def test_what_came_before_a_cut_is_given_before_its_error():
    bench = Bench()
    bench.receive(HEAD)
    bench.body.take_over()
    bench.receive(chunk(b"so far"))
    bench.connection.protocol.connection_lost(ConnectionResetError("reset"))
    assert bench.body.read_nowait() == b"so far"
    with pytest.raises(aiohttp.ClientPayloadError, match="reset"):
        bench.body.read_nowait()
    assert [str(loss) for loss in bench.parser.losses] == ["reset"]


def test_broken_framing_ends_the_connection():
    bench = Bench()
    bench.receive(HEAD)
    bench.body.take_over()
    bench.receive(b"no size\r\n")
    assert bench.connection.is_aborted
    with pytest.raises(aiohttp.ClientPayloadError, match="no size"):
        bench.body.read_nowait()


def test_a_reader_waits_for_what_comes_next_and_for_the_end():
    async def main():
        bench = Bench()
        bench.receive(HEAD)
        bench.body.take_over()
        reading = asyncio.ensure_future(bench.body.readany())
        await asyncio.sleep(0)
        bench.receive(chunk(b"next"))
        assert await reading == b"next"
        reading = asyncio.ensure_future(bench.body.readany())
        await asyncio.sleep(0)
        bench.receive(LAST_CHUNK)
        assert await reading == b""

    asyncio.run(main())
