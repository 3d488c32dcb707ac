"""The built-in asynchronous transport: what only it has to care about."""

import asyncio
import gc
import io
import threading
import time

import pytest

from certificates import serving_as
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import ConnectError, ReadTimeoutError, TransportError, UploadError
from inferencesh_core.http.messages import Request
from inferencesh_core.sources import UploadSource
from inferencesh_core.testing.benches import PATIENCE
from inferencesh_core.testing.loopback import Loopback
from ports import deaf, taken_by


def get(url, **times):
    return Request("GET", url, {}, **times)


def test_an_answer_that_comes_before_an_upload_is_over_ends_it():
    answered = threading.Event()

    class File(io.RawIOBase):
        """Goes on only when the answer has been sent, and has no end."""

        def read(self, size=-1):
            if self.tell_blocks > 1:
                assert answered.wait(PATIENCE)
            self.tell_blocks += 1
            return bytes(size)

        tell_blocks = 0

    def take(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        answered.set()
        while connection.recv(1 << 20):
            pass

    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        file = File()
        source = UploadSource(lambda: file, 1 << 50, "f.bin", "x/y", identity=1)
        response = await transport.send(Request("PUT", url, {}, source, read_timeout=PATIENCE))
        assert (response.status, response.body) == (413, b"no")
        await until_in_loop(lambda: file.closed)
        await transport.close()

    with taken_by(take) as authority:
        asyncio.run(main(f"http://{authority}/put"))


def test_an_upload_of_unknown_length_goes_in_chunks():
    heard = []

    def take(connection):
        with connection.makefile("rb") as file:
            heard.append(file.readline())
            headers = {line.partition(b":")[0].lower() for line in iter(file.readline, b"\r\n")}
            assert b"content-length" not in headers
            assert b"transfer-encoding" in headers
            while size := int(file.readline(), 16):
                heard.append(file.read(size))
                file.readline()
            file.readline()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        source = UploadSource(lambda: io.BytesIO(b"z" * 1_500_000), None, "f.bin", "x/y", identity=1)
        assert (await transport.send(Request("PUT", url, {}, source))).status == 200
        await transport.close()

    with taken_by(take) as authority:
        asyncio.run(main(f"http://{authority}/put"))
    assert b"".join(heard[1:]) == b"z" * 1_500_000


def test_a_large_body_of_bytes_arrives_whole():
    body = bytes(range(256)) * 5000

    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        await transport.send(Request("POST", url, {}, body))
        await transport.send(Request("POST", url, {}, b""))
        await transport.close()

    with Loopback(lambda e: e.answer()) as server:
        asyncio.run(main(server.url))
        assert server.connections == 1
    assert [exchange.body for exchange in server.seen] == [body, b""]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cancelling_while_a_connection_is_made_or_silent_leaves_nothing_open(scheme):
    async def main(authority, has_heard):
        transport = AsyncioTransport(ClientConfig(verify=False))
        calling = asyncio.create_task(transport.send(get(f"{scheme}://{authority}/")))
        assert await asyncio.to_thread(has_heard.wait, PATIENCE)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert await transport.send(get(other.url)) is not None
        await transport.close()

    with deaf() as silent, Loopback(lambda e: e.answer()) as other:
        asyncio.run(main(*silent))


def test_closing_ends_a_handshake_that_waits():
    async def main(authority, has_heard):
        transport = AsyncioTransport(ClientConfig(verify=False))
        calling = asyncio.create_task(transport.send(get(f"https://{authority}/")))
        assert await asyncio.to_thread(has_heard.wait, PATIENCE)
        await transport.close()
        with pytest.raises(ConnectError, match="the client was closed"):
            await asyncio.wait_for(calling, PATIENCE / 2)

    with deaf() as silent:
        asyncio.run(main(*silent))


def test_a_handshake_nobody_answers_is_given_up_in_time():
    async def main(authority):
        transport = AsyncioTransport(ClientConfig(verify=False))
        with pytest.raises(ConnectError, match=r"not within 0\.2 s"):
            await transport.send(get(f"https://{authority}/", connect_timeout=0.2))
        await transport.close()

    with deaf() as (authority, _):
        asyncio.run(main(authority))


def test_a_name_with_several_addresses_is_reached_by_the_one_that_answers():
    async def main():
        transport = AsyncioTransport(ClientConfig())
        port = server.url.rpartition(":")[2]
        assert (await transport.send(get(f"http://localhost:{port}/"))).status == 200
        await transport.close()

    with Loopback(lambda e: e.answer()) as server:
        asyncio.run(main())
    assert server.seen[0].headers["host"].startswith("localhost:")


# --- nothing is left to others, and nothing is left open ---


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("uploads", [False, True], ids=["a call", "an upload"])
def test_a_call_cancelled_at_any_moment_leaves_the_next_its_own_answer_and_no_socket(encrypted, uploads):
    source = UploadSource(lambda: io.BytesIO(bytes(600_000)), 600_000, "f.bin", "x/y", identity=1)

    async def cancelled_after(turns):
        transport = AsyncioTransport(ClientConfig(verify=False))
        method, body = ("PUT", source) if uploads else ("GET", None)
        calling = asyncio.ensure_future(transport.send(Request(method, f"{server.url}/first", {}, body)))
        for _ in range(turns):
            await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait({calling})
        assert (await transport.send(get(f"{server.url}/next"))).body == b"/next"
        await transport.close()

    async def main():
        for turns in range(40):
            await cancelled_after(turns)

    with Loopback(lambda e: e.answer(e.target.encode()), serving_as("x") if encrypted else None) as server:
        asyncio.run(main())
        until(lambda: not server.open_connections)


def hold_the_loop(seconds):
    time.sleep(seconds)


async def until_in_loop(done):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def until(done):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_without_length_to_an_upload_is_heard_although_the_rest_is_refused():
    def take(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\n\r\nno")

    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        source = UploadSource(lambda: Endless(answered), 1 << 40, "f.bin", "x/y", identity=1)
        response = await transport.send(Request("PUT", url, {}, source))
        assert (response.status, response.body) == (413, b"no")
        await transport.close()

    answered = threading.Event()
    with taken_by(lambda connection: (take(connection), answered.set())) as authority:
        asyncio.run(main(f"http://{authority}/"))


class Endless(io.RawIOBase):
    """A file that goes on when something is set."""

    def __init__(self, event):
        self.event = event

    def read(self, size=-1):
        assert self.event.wait(PATIENCE)
        return bytes(size)


@pytest.mark.parametrize("ends", ["its time is over", "the client is closed", "it is cancelled"])
def test_an_upload_ends_although_its_file_is_being_read(ends):
    may_read = threading.Event()
    file = Endless(may_read)

    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        source = UploadSource(lambda: file, 1000, "f.bin", "x/y", identity=1)
        limit = 0.2 if ends == "its time is over" else None
        sending = asyncio.ensure_future(transport.send(Request("PUT", url, {}, source, time_limit=limit)))
        if limit is None:
            assert await asyncio.to_thread(has_heard.wait, PATIENCE)
            await transport.close() if "closed" in ends else sending.cancel()
        with pytest.raises((TransportError, asyncio.CancelledError)):
            await asyncio.wait_for(sending, PATIENCE / 2)
        assert not file.closed  # it is read
        may_read.set()
        await until_in_loop(lambda: file.closed)
        await transport.close()

    with deaf() as (authority, has_heard):
        asyncio.run(main(f"http://{authority}/"))


def test_a_file_that_cannot_be_opened_is_no_trouble_of_the_network():
    def missing():
        raise FileNotFoundError(2, "No such file", "f.bin")

    async def main():
        transport = AsyncioTransport(ClientConfig())
        with pytest.raises(UploadError, match=r"f\.bin cannot be read"):
            await transport.send(
                Request("PUT", server.url, {}, UploadSource(missing, 10, "f.bin", "x/y", identity=1))
            )
        await transport.close()

    with Loopback(lambda e: e.answer()) as server:
        asyncio.run(main())


def test_a_server_that_closes_at_once_was_not_sent_anything_and_is_forgotten():
    async def main(url):
        transport = AsyncioTransport(ClientConfig())
        for _ in range(20):
            with pytest.raises(TransportError):
                await transport.send(Request("POST", url, {}, b"{}"))
        started = time.monotonic()
        await transport.close()
        assert time.monotonic() - started < 0.5

    with taken_by(*[lambda _: None] * 20) as authority:
        asyncio.run(main(f"http://{authority}/"))


def test_a_stream_that_is_dropped_closes_its_connection():
    async def main():
        transport = AsyncioTransport(ClientConfig())
        stream = await transport.open(get(server.url))
        assert await stream.read(PATIENCE) == b"first"
        del stream
        gc.collect()
        assert await asyncio.to_thread(left.wait, PATIENCE)
        await transport.close()

    left = threading.Event()

    def handle(exchange):
        exchange.start()
        exchange.chunk(b"first")
        if exchange.peer_left(PATIENCE):
            left.set()

    with Loopback(handle) as server:
        asyncio.run(main())


def test_those_who_wait_for_a_connection_count_their_time_and_end_with_the_client(monkeypatch):
    monkeypatch.setattr("inferencesh_async.asyncio_transport.MAX_CONNECTIONS", 1)

    async def main():
        transport = AsyncioTransport(ClientConfig())
        first = asyncio.ensure_future(transport.send(get(server.url)))
        await asyncio.sleep(0)
        with pytest.raises(ConnectError, match="kept waiting"):
            await transport.send(get(server.url, read_timeout=0.1))
        waiting = asyncio.ensure_future(transport.send(get(server.url)))
        await asyncio.sleep(0)
        await transport.close()
        for each in (first, waiting):
            with pytest.raises(TransportError, match="the client was closed"):
                await asyncio.wait_for(each, PATIENCE / 2)

    with Loopback(lambda e: e.hang()) as server:
        asyncio.run(main())


def test_an_answer_that_came_in_time_is_taken_however_late_the_loop_is():
    async def main():
        transport = AsyncioTransport(ClientConfig())
        calling = asyncio.ensure_future(transport.send(get(server.url, read_timeout=0.3)))
        await asyncio.to_thread(answered.wait, PATIENCE)
        hold_the_loop(0.5)
        assert (await calling).body == b"in time"
        with pytest.raises(ReadTimeoutError):
            await transport.send(get(f"{server.url}/silent", read_timeout=0.1))
        await transport.close()

    answered = threading.Event()

    def handle(exchange):
        if exchange.target == "/silent":
            exchange.hang()
        exchange.answer(b"in time")
        answered.set()

    with Loopback(handle) as server:
        asyncio.run(main())
