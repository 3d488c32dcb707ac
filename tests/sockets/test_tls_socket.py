"""The encrypted socket, with servers that handle each record, and each byte of one, by themselves."""

import contextlib
import hashlib
import os
import socket
import ssl
import threading
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from certificates import AUTHORITY, serving_as
from inferencesh_core.http.tls_socket import TlsSocket
from inferencesh_core.testing.benches import PATIENCE
from ports import taken_by

HOST = "127.0.0.1"
OVERSHOOT = 0.25
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
AUTHORITY.configure_trust(TRUSTING)

_RECORD_HEADER_BYTES = 5
_RECORD_TYPES = {20, 21, 22, 23}
_APPLICATION_DATA = 23


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def serving(request):
    """The settings of a server that speaks one version."""
    context = serving_as(HOST)
    context.minimum_version = context.maximum_version = request.param
    return context


class Server:
    """A server's end of a connection, which encrypts in memory and sends by hand.

    Attributes:
        heard: All that came, as it came.
    """

    def __init__(self, connection, context):
        self.connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.heard = b""

    def shake_hands(self):
        self._at_length(self._tls.do_handshake)
        self.connection.sendall(self._outgoing.read())

    def first_flight(self):
        """What answers the client's first words."""
        self._incoming.write(self.connection.recv(1 << 16))
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._outgoing.read()

    def record(self, content):
        """Content as one record."""
        self._tls.write(content)
        return self._outgoing.read()

    def farewell(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._outgoing.read()

    def read(self, size):
        """So many bytes of what the client says."""
        left, parts = size, []
        while left:
            parts.append(self._at_length(partial(self._tls.read, left)))
            left -= len(parts[-1])
        return b"".join(parts)

    def _at_length(self, act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:  # noqa: PERF203 - it is how it goes on
                self._hear()

    def _hear(self):
        if self._outgoing.pending:
            self.connection.sendall(self._outgoing.read())
        received = self.connection.recv(1 << 16)
        assert received, "the client left"
        self.heard += received
        self._incoming.write(received)


def trickle(connection, data, seconds, gone):
    """Send byte by byte until the client is gone."""
    with contextlib.suppress(OSError):
        for byte in data:
            if gone.wait(seconds):
                return
            connection.sendall(bytes([byte]))


@contextlib.contextmanager
def connected(take, host=HOST):
    """A socket of ours to a server on a thread, which takes the connection."""
    with taken_by(take) as authority:
        address, port = authority.split(":")
        plain = socket.create_connection((address, int(port)), PATIENCE)
        with contextlib.closing(plain):
            yield TlsSocket(plain, TRUSTING, host)


@contextlib.contextmanager
def paired(take, kind=socket.socket):
    """The plain end of a connection within this machine, whose other end is taken on a thread."""
    here, there = socket.socketpair()
    ours = kind(fileno=here.detach())
    ours.settimeout(PATIENCE)
    there.settimeout(PATIENCE)
    with ours, there, ThreadPoolExecutor(1) as thread:
        taking = thread.submit(take, there)
        yield ours, taking
        taking.result(PATIENCE)


def received(ours, most=1 << 16):
    buffer = bytearray(most)
    with memoryview(buffer) as view:
        return bytes(buffer[: ours.recv_into(view)])


def all_received(ours):
    return b"".join(iter(lambda: received(ours), b""))


@contextlib.contextmanager
def given_up_after(seconds, gone):
    started = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            yield
    finally:
        gone.set()
    assert seconds * 0.9 <= time.monotonic() - started <= seconds + OVERSHOOT


def test_each_hears_what_the_other_says_and_the_farewell_is_the_end(serving):
    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        assert server.read(5) == b"hello"
        connection.sendall(server.record(b"hello to you") + server.farewell())
        assert connection.recv(1) == b""

    with connected(take) as ours:
        ours.sendall(b"hello")
        assert all_received(ours) == b"hello to you"
        assert received(ours) == b""
        assert ours.holds_more


def test_a_large_body_arrives_both_ways_whatever_its_type(serving):
    content = os.urandom(3_000_000)

    def take(connection):
        with serving.wrap_socket(connection, server_side=True) as tls:
            for _ in range(3):
                digest, left = hashlib.sha256(), len(content)
                while left:
                    block = tls.recv(left)
                    assert block, "the client left"
                    digest.update(block)
                    left -= len(block)
                tls.sendall(digest.digest())
            tls.sendall(content)

    with connected(take) as ours:
        for body in (content, memoryview(content), array("H", content)):
            ours.sendall(body)
            digest = hashlib.sha256(content).digest()
            assert received(ours, len(digest)) == digest
        ours.sendall(b"")
        assert all_received(ours) == content
        ours.close()


def test_what_is_whole_is_given_at_once_and_does_not_wait_for_what_is_not(serving):
    may_go_on = threading.Event()

    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        first, second, third = (server.record(word) for word in (b"first ", b"second ", b"third"))
        connection.sendall(first + second + third[:9])
        assert may_go_on.wait(PATIENCE)
        connection.sendall(third[9:])
        assert connection.recv(1) == b""

    with connected(take) as ours:
        # The records came together or one after the other; either way without the third.
        assert received(ours, 3) == b"fir"
        assert ours.holds_more
        heard = b"fir"
        while len(heard) < len(b"first second "):
            heard += received(ours)
        assert heard == b"first second "
        may_go_on.set()
        assert received(ours) == b"third"
        assert not ours.holds_more
        ours.close()


def test_a_record_that_trickles_in_is_given_up_in_time_as_a_whole(serving):
    gone = threading.Event()

    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        trickle(connection, server.record(b"x" * 5000), 0.02, gone)

    with connected(take) as ours:
        ours.settimeout(0.3)
        with given_up_after(0.3, gone):
            received(ours)


def test_a_handshake_that_trickles_in_is_given_up_in_time_as_a_whole(serving):
    gone = threading.Event()

    def take(connection):
        trickle(connection, Server(connection, serving).first_flight(), 0.02, gone)

    with paired(take) as (plain, _):
        plain.settimeout(0.3)
        with given_up_after(0.3, gone):
            TlsSocket(plain, TRUSTING, HOST)
        assert plain.fileno() == -1, "it was left open"


def test_a_body_that_is_taken_in_trickles_is_given_up_in_time_as_a_whole(serving):
    gone = threading.Event()

    def take(connection):
        Server(connection, serving).shake_hands()
        while not gone.wait(0.02) and connection.recv(16 * 1024):
            pass

    with paired(take) as (plain, _):
        ours = TlsSocket(plain, TRUSTING, HOST)
        ours.settimeout(0.4)
        with given_up_after(0.4, gone):
            ours.sendall(bytes(8_000_000))


def test_what_is_not_encrypted_as_agreed_is_an_error_after_what_was(serving):
    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        good, bad = server.record(b"fine"), bytearray(server.record(b"not so"))
        bad[-1] ^= 1
        connection.sendall(good + bad)
        while connection.recv(1 << 16):
            pass

    with connected(take) as ours:
        heard = received(ours)
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                received(ours)
        assert heard == b"fine"
        assert ours.holds_more
        ours.close()


def test_an_end_without_farewell_is_an_end(serving):
    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        connection.sendall(server.record(b"last words") + server.record(b"cut")[:10])

    with connected(take) as ours:
        assert all_received(ours) == b"last words"
        assert received(ours) == b""


def test_what_was_said_before_a_server_left_counts_although_it_hears_nothing_any_more(serving):
    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        connection.sendall(server.record(b"last words"))
        connection.close()

    with paired(take) as (plain, taking):
        ours = TlsSocket(plain, TRUSTING, HOST)
        taking.result(PATIENCE)
        assert all_received(ours) == b"last words"
        with pytest.raises(OSError, match="Broken pipe"):
            plain.sendall(b"x")


@pytest.mark.parametrize(
    ("name", "context"),
    [("elsewhere.test", TRUSTING), (HOST, ssl.create_default_context())],
    ids=["another name", "nobody vouches for it"],
)
def test_a_server_that_is_not_who_it_should_be_is_refused_and_told_so(serving, name, context):
    def take(connection):
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            serving.wrap_socket(connection, server_side=True)

    with paired(take) as (plain, taking):
        with pytest.raises(ssl.SSLCertVerificationError):
            TlsSocket(plain, context, name)
        taking.result(PATIENCE)
        assert plain.fileno() == -1, "it was left open"


class Late(socket.socket):
    """A socket that receives once its peer has left."""

    def __init__(self, fileno):
        super().__init__(fileno=fileno)
        self.peer_left = threading.Event()

    def recv(self, size):
        assert self.peer_left.wait(PATIENCE)
        return super().recv(size)


def test_a_server_that_is_not_who_it_should_be_is_refused_for_that_although_it_has_left(serving):
    def take(connection):
        connection.sendall(Server(connection, serving).first_flight())
        connection.close()
        plain.peer_left.set()

    with paired(take, Late) as (plain, _), pytest.raises(ssl.SSLCertVerificationError):
        TlsSocket(plain, TRUSTING, "elsewhere.test")


def test_a_server_that_leaves_in_the_middle_of_the_handshake_is_no_secure_one(serving):
    def take(connection):
        connection.sendall(Server(connection, serving).first_flight()[:50])
        connection.close()

    with paired(take) as (plain, _), pytest.raises(ssl.SSLEOFError):
        TlsSocket(plain, TRUSTING, HOST)


def test_a_name_that_can_be_none_leaves_no_socket_open():
    with paired(lambda _: None) as (plain, _):
        with pytest.raises(ValueError, match="server_hostname"):
            TlsSocket(plain, TRUSTING, "")
        assert plain.fileno() == -1


def test_nothing_leaves_unencrypted(serving):
    secret = b"a secret that is long enough to be found"

    def take(connection):
        server = Server(connection, serving)
        server.shake_hands()
        assert server.read(3 * len(secret)) == secret * 3
        connection.sendall(server.farewell())
        return server.heard

    with paired(take) as (plain, taking):
        ours = TlsSocket(plain, TRUSTING, HOST)
        ours.sendall(secret)
        ours.sendall(secret * 2)
        assert received(ours) == b""
        heard = taking.result(PATIENCE)
    assert secret not in heard
    records = [*records_in(heard)]
    assert b"".join(header + body for header, body in records) == heard
    assert {header[0] for header, _ in records} <= _RECORD_TYPES
    encrypted = [body for header, body in records if header[0] == _APPLICATION_DATA]
    assert sum(map(len, encrypted)) >= 3 * len(secret)


def records_in(wire):
    while wire:
        end = _RECORD_HEADER_BYTES + int.from_bytes(wire[3:_RECORD_HEADER_BYTES], "big")
        assert len(wire) >= end
        yield wire[:_RECORD_HEADER_BYTES], wire[_RECORD_HEADER_BYTES:end]
        wire = wire[end:]
