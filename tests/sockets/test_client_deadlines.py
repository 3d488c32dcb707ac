"""Deadlines of a whole client against real sockets."""

import time

import pytest

from inferencesh_core import inference
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import ReadTimeoutError, TaskTimeoutError
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.testing.loopback import Loopback
from worlds import held_client

OVERSHOOT = 0.25


def requests_client(*args, **options):
    return inference(*args, transport=RequestsTransport(ClientConfig()), **options)


CLIENTS = [inference, requests_client, held_client]


def silent(exchange):
    exchange.hang()


def trickling_header(exchange):
    exchange.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    exchange.trickle(b"a", 0.02)


def trickling_lines(exchange):
    exchange.start()
    while not exchange.wait(0.02):
        exchange.chunk(b" ")


def heartbeating(exchange):
    exchange.start()
    while not exchange.wait(0.02):
        exchange.chunk(b'{"type": "heartbeat"}\n')


def chattering(exchange):
    exchange.start()
    while not exchange.wait(0):
        exchange.chunk(b'{"type": "heartbeat"}\n' * 100)


def silent_after_a_line(exchange):
    exchange.start()
    exchange.chunk(b'{"id": "t1", "status": 7}\n{"id": "t1", "sta')
    exchange.hang()


def refusing_in_trickles(exchange):
    exchange.start(503)
    while not exchange.wait(0.02):
        exchange.chunk(b" ")


def terminal_line(exchange):
    exchange.start()
    exchange.chunk(b'{"id": "t1", "status": 10, "output": 1}\n')


def heartbeating_after_the_end(exchange):
    terminal_line(exchange)
    while not exchange.wait(0.02):
        exchange.chunk(b'{"type": "heartbeat"}\n')


def chattering_after_the_end(exchange):
    terminal_line(exchange)
    while not exchange.wait(0):
        exchange.chunk(b'{"type": "heartbeat"}\n' * 100)


def silent_after_the_end(exchange):
    terminal_line(exchange)
    exchange.hang()


@pytest.mark.parametrize("client_of", CLIENTS)
@pytest.mark.parametrize(
    "behaviour", [heartbeating_after_the_end, chattering_after_the_end, silent_after_the_end]
)
def test_following_ends_with_the_task_whatever_the_server_still_says(behaviour, client_of):
    with Loopback(behaviour) as server:
        with client_of("key", server.url) as client:
            started = time.monotonic()
            assert client.tasks.wait_for_completion("t1", timeout=5)["output"] == 1
            taken = time.monotonic() - started
        assert taken <= OVERSHOOT


@pytest.mark.parametrize("client_of", CLIENTS)
@pytest.mark.parametrize(
    "behaviour",
    [
        *[silent, trickling_header, trickling_lines, heartbeating],
        *[chattering, silent_after_a_line, refusing_in_trickles],
    ],
)
def test_waiting_for_a_task_ends_in_time_whatever_the_server_does(behaviour, client_of):
    with Loopback(behaviour) as server:
        with client_of("key", server.url) as client:
            started = time.monotonic()
            with pytest.raises(TaskTimeoutError):
                client.tasks.wait_for_completion("t1", timeout=0.5)
            taken = time.monotonic() - started
        assert 0.5 <= taken <= 0.5 + OVERSHOOT


@pytest.mark.parametrize("client_of", CLIENTS)
@pytest.mark.parametrize("behaviour", [silent, trickling_header, trickling_lines])
@pytest.mark.parametrize("how", ["run", "accepted only", "many", "stream", "upload"])
def test_running_a_task_ends_in_time_though_it_never_started(how, behaviour, client_of):
    params = {"app": "a/b", "input": b"content" if how == "upload" else "text"}
    with Loopback(behaviour) as server:
        with client_of("key", server.url) as client:
            run = {
                "many": lambda: list(client.tasks.run_many([params], timeout=0.5)),
                "stream": lambda: list(client.tasks.run(params, stream=True, timeout=0.5)),
                "accepted only": lambda: client.tasks.run(params, wait=False, timeout=0.5),
            }.get(how, lambda: client.tasks.run(params, timeout=0.5))
            started = time.monotonic()
            with pytest.raises(TaskTimeoutError, match=r"a/b was not started within 0\.5 s"):
                run()
            taken = time.monotonic() - started
        assert 0.5 <= taken <= 0.5 + OVERSHOOT


@pytest.mark.parametrize("client_of", CLIENTS)
@pytest.mark.parametrize("body", ["file", "text"])
def test_a_run_whose_content_nobody_takes_ends_in_time(body, client_of, tmp_path):
    import socket

    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)

    with socket.create_server(("127.0.0.1", 0), backlog=8) as deaf:
        store = f"http://127.0.0.1:{deaf.getsockname()[1]}/put"
        accepted = [{"id": "f1", "uri": "inf://f1", "upload_url": store}]
        with Loopback(lambda exchange: exchange.answer(accepted)) as server:
            address, given = (server.url, path) if body == "file" else (store, "x" * 32 * 1024 * 1024)
            with client_of("key", address) as client:
                started = time.monotonic()
                with pytest.raises(TaskTimeoutError):
                    client.tasks.run({"app": "a/b", "input": {"file": given}}, timeout=1.0)
                taken = time.monotonic() - started
    assert 1.0 <= taken <= 1.0 + OVERSHOOT


@pytest.mark.parametrize("client_of", [inference, held_client])
@pytest.mark.parametrize("behaviour", [silent, trickling_header])
def test_a_call_with_all_its_tries_ends_in_time(behaviour, client_of):
    with Loopback(behaviour) as server:
        with client_of("key", server.url, deadline=0.6, read_timeout=0.2, backoff_base=0.01) as client:
            started = time.monotonic()
            with pytest.raises(ReadTimeoutError):
                client.tasks.get("t1")
            taken = time.monotonic() - started
        assert taken <= 0.6 + OVERSHOOT
        assert len(server.seen) >= 2


def test_a_time_limit_of_more_than_five_seconds_is_not_rounded_up():
    with Loopback(silent) as server, held_client("key", server.url) as client:
        started = time.monotonic()
        # So that the end is far from any whole second of the clock.
        seconds = 5.0 + (1.1 - started % 1) % 1
        with pytest.raises(TaskTimeoutError):
            client.tasks.run({"app": "a/b"}, timeout=seconds)
        taken = time.monotonic() - started
    assert seconds <= taken <= seconds + OVERSHOOT


@pytest.mark.parametrize("client_of", [inference, held_client])
def test_a_server_that_accepts_and_never_reads_is_given_up_in_time(client_of):
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=8) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with client_of("key", url, deadline=0.5, max_attempts=2) as client:
            started = time.monotonic()
            with pytest.raises(ReadTimeoutError):
                client.tasks.get("t1")
            assert time.monotonic() - started <= 0.5 + OVERSHOOT
