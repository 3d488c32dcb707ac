"""How much a server may send ahead of its reader, as the system tells it."""

import contextlib
import socket
import sys

import pytest

from inferencesh_core.http.sockets import WIDEST_BYTES, is_ready, widen


def options_of(connection):
    return tuple(
        connection.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_RCVLOWAT, socket.SO_RCVBUF)
    )


@pytest.fixture
def connection():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
    ):
        peer, _ = listener.accept()
        with peer:
            yield ours, peer


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it does nothing")
def test_there_is_room_for_more_and_a_reader_is_still_woken_by_one_byte(connection):
    ours, peer = connection
    _, room = options_of(ours)
    widen(ours, 1)
    lowest, more_room = options_of(ours)
    assert lowest == 1
    assert more_room > room
    widen(ours, 1)
    assert options_of(ours) == (1, more_room)
    ours.settimeout(10)
    peer.sendall(b"x")
    assert ours.recv(2) == b"x"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it does nothing")
def test_one_of_many_gets_less_room_and_one_of_very_many_no_more_than_it_has(connection):
    ours, _ = connection
    rooms = [options_of(ours)[1]]
    for connections in (100_000, 256, 1):
        widen(ours, connections)
        rooms.append(options_of(ours)[1])
    assert rooms[0] == rooms[1] < rooms[2] < rooms[3]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it does nothing")
def test_much_can_be_sent_before_anything_is_read(connection):
    ours, peer = connection
    widen(ours, 1)
    peer.setblocking(False)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    sent = 0
    block = bytes(64 * 1024)
    ours.settimeout(10)
    with contextlib.suppress(BlockingIOError):
        while sent <= 2 * WIDEST_BYTES:
            sent += peer.send(block)
    assert sent > 64 * 1024
    assert sent <= 2 * WIDEST_BYTES
    left = sent
    while left:
        left -= len(ours.recv(left))


def test_what_is_no_connection_over_tcp_or_no_connection_any_more_is_no_error(connection):
    here, there = socket.socketpair()
    with here, there:
        widen(here, 1)
        there.sendall(b"x")
        assert here.recv(2) == b"x"
    widen(here, 1)
    ours, _ = connection
    ours.close()
    widen(ours, 1)
    assert ours.fileno() == -1


def test_a_socket_may_be_waited_for_for_years(connection):
    ours, peer = connection
    assert not is_ready(ours, 0)
    peer.sendall(b"x")
    for seconds in (None, 0, 10, 10.0**9):
        assert is_ready(ours, seconds)
