"""The built-in asynchronous transport: what only it has to care about."""

import asyncio
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import ConnectError
from inferencesh_core.http.messages import Request
from inferencesh_core.sources import UploadSource
from inferencesh_core.testing.benches import PATIENCE
from inferencesh_core.testing.loopback import Loopback


def get(url, **times):
    return Request("GET", url, {}, **times)


@contextmanager
def taken_by(take):
    """A port whose first connection is handed to a function on a thread; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:

        def accept():
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                take(connection)

        taking = thread.submit(accept)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        taking.result(PATIENCE)


@contextmanager
def deaf():
    """A port that takes a connection and says nothing: its address, and what is set once it has heard."""
    has_heard = threading.Event()

    def take(connection):
        connection.recv(1)
        has_heard.set()
        while connection.recv(1 << 16):  # fails where the connection is left open
            pass

    with taken_by(take) as authority:
        yield authority, has_heard


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
        assert (response.status, response.body, file.closed) == (413, b"no", True)
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
