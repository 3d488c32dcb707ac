"""The layer that encrypts, between a connection and a socket that are both in memory."""

import asyncio
import contextlib
import ssl
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import AUTHORITY, serving_as
from inferencesh_async.tls_layer import PIECE_BYTES, Security, TlsLayer
from ports import SocketInMemory

SERVING = serving_as("api.test")
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
AUTHORITY.configure_trust(TRUSTING)


class Reader:
    """What stands for a connection: it keeps what comes, and can be told to pause after some of it."""

    def __init__(self, size, pauses_after=None):
        self.buffer = memoryview(bytearray(size))
        self.received, self.losses, self.failure = b"", [], None
        self.pauses_after = pauses_after

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, _sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.received += self.buffer[:count]
        if self.pauses_after is not None and len(self.received) > self.pauses_after:
            self.pauses_after = None
            self.transport.pause_reading()

    def connection_lost(self, exc):
        self.losses.append(exc)

    def fail(self, error):
        self.failure = error


class Bench:
    """A layer with a server on the other end of its socket."""

    def __init__(self, host="api.test", size=5000, context=TRUSTING, pauses_after=None, at_once=3000):
        self.socket, self.reader = SocketInMemory(), Reader(size, pauses_after)
        self.layer = TlsLayer(Security(context, host, memoryview(bytearray(at_once))), self.reader)
        self.to_server, self.from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = SERVING.wrap_bio(self.to_server, self.from_server, server_side=True)
        self.layer.connection_made(self.socket)

    def shake_hands(self, places=()):
        for _ in range(4):
            self.take()
            with contextlib.suppress(ssl.SSLError):
                self.server.do_handshake()
            self.receive(self.from_server.read(), places)

    def take(self):
        self.to_server.write(self.socket.sent)
        self.socket.sent = b""

    def receive(self, wire, places=()):
        edges = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
        for start, end in pairwise(edges):
            piece = wire[start:end]
            while piece and not self.socket.is_aborted:
                buffer = self.layer.get_buffer(-1)
                part, piece = piece[: len(buffer)], piece[len(buffer) :]
                buffer[: len(part)] = part
                self.layer.buffer_updated(len(part))


def in_loop(test):
    async def main():
        await test()

    asyncio.run(main())


@given(
    content=st.binary(max_size=400), repeats=st.integers(1, 200), places=st.lists(st.integers(0), max_size=5)
)
@settings(deadline=None, max_examples=40)
def test_what_a_server_says_comes_whole_however_it_is_cut(content, repeats, places):
    async def test():
        bench = Bench()
        bench.shake_hands(places)
        assert bench.layer.secured.done()
        if content:
            bench.server.write(content * repeats)
        bench.receive(bench.from_server.read(), places)
        assert bench.reader.received == content * repeats

    in_loop(test)


def test_what_is_written_arrives():
    async def test():
        bench = Bench()
        bench.shake_hands()
        bench.layer.write(b"hello")
        bench.layer.write(memoryview(b"x" * 100_000))
        bench.take()
        heard = b""
        while len(heard) < 100_005:
            heard += bench.server.read(50_000)
        assert heard == b"hello" + b"x" * 100_000

    in_loop(test)


def test_a_reader_that_pauses_gets_the_rest_when_it_goes_on():
    async def test():
        bench = Bench(size=1000, pauses_after=2500)
        bench.shake_hands()
        bench.server.write(b"y" * 9000)
        bench.receive(bench.from_server.read())
        assert 2500 < len(bench.reader.received) < 9000
        assert not bench.socket.is_read
        bench.layer.resume_reading()
        await asyncio.sleep(0)
        assert bench.reader.received == b"y" * 9000
        assert bench.socket.is_read

    in_loop(test)


@pytest.mark.parametrize("pauses_after", [None, 100_000])
def test_much_that_comes_at_once_is_taken_piece_by_piece(pauses_after):
    async def test():
        content = bytes(range(256)) * 2000
        assert len(content) > 5 * PIECE_BYTES
        bench = Bench(size=90_000, at_once=2 * len(content), pauses_after=pauses_after)
        bench.shake_hands()
        bench.server.write(content)
        bench.receive(bench.from_server.read())
        if pauses_after:
            assert pauses_after < len(bench.reader.received) < len(content)
            bench.layer.resume_reading()
            await asyncio.sleep(0)
        assert bench.reader.received == content

    in_loop(test)


def test_a_farewell_ends_the_connection_after_what_came_before():
    async def test():
        bench = Bench()
        bench.shake_hands()
        bench.server.write(b"last words")
        with pytest.raises(ssl.SSLWantReadError):
            bench.server.unwrap()
        bench.receive(bench.from_server.read())
        assert bench.reader.received == b"last words"
        assert bench.socket.is_aborted
        bench.socket.unsent = 7
        assert bench.layer.get_write_buffer_size() == 7
        bench.layer.write(b"too late")
        assert bench.socket.sent == b""

    in_loop(test)


def test_what_is_not_encrypted_as_agreed_ends_the_connection():
    async def test():
        bench = Bench()
        bench.shake_hands()
        bench.server.write(b"fine")
        wire = bytearray(bench.from_server.read())
        bench.server.write(b"not so")
        wire += bench.from_server.read()
        wire[-1] ^= 1
        bench.receive(bytes(wire))
        assert isinstance(bench.reader.failure, ssl.SSLError)
        assert bench.reader.received == b"fine"

    in_loop(test)


@pytest.mark.parametrize(
    ("host", "context"),
    [("other.test", TRUSTING), ("api.test", ssl.create_default_context())],
    ids=["another name", "nobody vouches for it"],
)
def test_a_server_that_is_not_who_it_should_be_is_told_so_and_left(host, context):
    async def test():
        bench = Bench(host, context=context)
        bench.shake_hands()
        with pytest.raises(ssl.SSLCertVerificationError):
            await bench.layer.secured
        assert bench.socket.is_aborted

    in_loop(test)


def test_a_socket_that_breaks_before_it_is_secure_says_so():
    async def test():
        bench = Bench()
        bench.layer.connection_lost(None)
        with pytest.raises(ConnectionResetError, match="closed"):
            await bench.layer.secured
        assert bench.reader.losses == [None]

    in_loop(test)
