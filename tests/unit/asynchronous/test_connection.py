"""A connection on a socket that is in memory."""

import asyncio

import pytest

from inferencesh_async.connection import READ_AHEAD_BYTES, Connection
from ports import SocketInMemory

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Bench:
    """A connection, both ends of it."""

    def __init__(self):
        self.ended = []
        self.socket = SocketInMemory()
        self.connection = Connection(memoryview(bytearray(1 << 20)), self.ended.append)
        self.connection.connection_made(self.socket)

    def receive(self, data):
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))


@pytest.fixture
def bench():
    async def make():
        return Bench()

    return asyncio.run(make())


def test_an_exchange_that_is_over_may_be_followed_by_another(bench):
    parser = bench.connection.begin("GET", b"the head")
    assert not bench.connection.is_spent
    bench.receive(ANSWER)
    assert (bench.socket.sent, parser.is_finished) == (b"the head", True)
    assert not bench.connection.is_spent  # nobody has taken what came
    assert bench.connection.take_nowait() == b"hello"
    assert bench.connection.is_spent
    bench.socket.unsent = 1
    assert not bench.connection.is_spent
    bench.socket.unsent = 0
    bench.socket.abort()
    assert not bench.connection.is_spent


def test_the_socket_is_read_no_more_while_the_reader_is_behind(bench):
    bench.connection.begin("GET", b"")
    bench.receive(CHUNKED)
    chunk = b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000)
    count = READ_AHEAD_BYTES // 100_000 + 1
    for _ in range(count):
        assert bench.socket.is_read
        bench.receive(chunk)
    assert not bench.socket.is_read
    assert bench.connection.take_nowait() == b"x" * 100_000 * count
    assert bench.socket.is_read


def test_what_came_before_a_cut_is_given_before_its_error(bench):
    bench.connection.begin("GET", b"")
    bench.receive(CHUNKED + b"6\r\nso far\r\n")
    bench.connection.connection_lost(ConnectionResetError("reset"))
    assert bench.connection.take_nowait() == b"so far"
    with pytest.raises(ConnectionResetError, match="reset"):
        bench.connection.take_nowait()
    assert bench.ended == [bench.connection]


def test_what_nobody_asked_for_ends_the_connection(bench):
    bench.receive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert bench.socket.is_aborted
    assert not bench.connection.is_usable


def test_broken_framing_ends_the_connection(bench):
    bench.connection.begin("GET", b"")
    bench.receive(CHUNKED + b"no size\r\n")
    assert bench.socket.is_aborted
    with pytest.raises(ValueError, match="no size"):
        bench.connection.take_nowait()
