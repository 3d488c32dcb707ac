"""What every transport has to do, as tests that anyone can hold their own to.

Derive a test class and say how the transport is made; pytest finds the tests::

    from inferencesh_core.testing.contract import TransportContract

    class TestMyTransport(TransportContract):
        def make_transport(self, config):
            return MyTransport(config)

`AsyncTransportContract` does the same for asyncio: each test gets an event loop, and the transport is made
on it. The tests talk to a server of their own on the loopback interface.
"""

# ruff: noqa: D102, S101 - these are tests: their names are sentences, and they assert

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..config import ClientConfig
from ..errors import ConnectError, ReadTimeoutError, ResponseTooLongError, TransportError, UploadError
from ..http.messages import Request
from ..sources import UploadSource
from .benches import PATIENCE, Awaited, Blocking
from .loopback import Exchange, Loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from ..http.transport import AsyncTransport, Transport


class TransportContract:
    """What a transport of a synchronous client has to do.

    Attributes:
        overshoot: Seconds by which a deadline may be missed.
        server_context: Has the server speak TLS; the transport must trust its certificate by then.
    """

    overshoot = 0.25
    server_context: ssl.SSLContext | None = None

    def make_transport(self, config: ClientConfig) -> Transport | AsyncTransport:
        """Give the transport under test."""
        raise NotImplementedError(f"{type(self).__name__} must say how its transport is made")

    def _bench(self) -> Any:
        return Blocking(self.make_transport, self._config())

    def _config(self) -> ClientConfig:
        return ClientConfig(max_response_bytes=self.max_response_bytes)

    @contextlib.contextmanager
    def _served(self, handle: Callable[[Exchange], None]) -> Iterator[tuple[Loopback, Any]]:
        with Loopback(handle, self.server_context) as server:
            bench = self._bench()
            try:
                yield server, bench
            finally:
                bench.close()

    # --- one exchange ---

    def test_a_response_has_its_status_lower_case_headers_and_whole_body(self) -> None:
        with self._served(lambda e: e.answer(b"x" * 300_000, 201, {"X-Some-Thing": "Yes"})) as (
            server,
            bench,
        ):
            response = bench.send(_get(server))
        assert (response.status, response.body) == (201, b"x" * 300_000)
        assert response.headers["x-some-thing"] == "Yes"

    def test_a_request_arrives_as_it_was_asked_for(self) -> None:
        with self._served(lambda e: e.answer()) as (server, bench):
            headers = {"Content-Type": "application/json", "X-Key": "a b"}
            bench.send(Request("POST", f"{server.url}/a%2Fb/c?d=e%20f&g=", headers, b'{"h": 1}'))
            bench.send(Request("POST", f"{server.url}/cancel", {}))
            bench.send(Request("DELETE", f"{server.url}/it", {}))
        post, empty, delete = server.seen
        assert (post.method, post.target, post.body) == ("POST", "/a%2Fb/c?d=e%20f&g=", b'{"h": 1}')
        assert post.headers["x-key"] == "a b"
        assert post.headers["content-type"] == "application/json"
        assert (empty.body, empty.headers["content-length"]) == (b"", "0")
        assert (delete.method, delete.body) == ("DELETE", b"")

    def test_every_status_is_a_response(self) -> None:
        with self._served(lambda e: e.answer({"detail": "no"}, int(e.target[1:]))) as (server, bench):
            for status in (400, 401, 404, 409, 412, 429, 500, 503):
                response = bench.send(_get(server, str(status)))
                assert (response.status, response.body) == (status, b'{"detail": "no"}')

    def test_answers_without_a_body_are_empty(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start(int(exchange.target[1:]), {"Server": "x"} if exchange.target == "/204" else None)
            if exchange.target != "/204":
                exchange.chunk(b"")

        with self._served(handle) as (server, bench):
            assert bench.send(_get(server, "204")).body == b""
            assert bench.send(_get(server, "200")).body == b""
            assert server.connections == 1

    def test_redirects_are_handed_back(self) -> None:
        with self._served(lambda e: e.answer(b"", 307, {"Location": "/elsewhere"})) as (server, bench):
            assert bench.send(_get(server)).status == 307
            assert bench.open(_get(server)).headers["location"] == "/elsewhere"
        assert {exchange.target for exchange in server.seen} == {"/"}

    def test_no_credentials_or_cookies_are_added(self, tmp_path: Any, monkeypatch: Any) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        with self._served(lambda e: e.answer(headers={"Set-Cookie": "a=b; Path=/"})) as (server, bench):
            bench.send(_get(server))
            bench.send(_get(server))
        for exchange in server.seen:
            assert not {"authorization", "cookie"} & exchange.headers.keys()

    def test_an_upload_is_opened_for_each_try_sent_with_its_length_and_closed(self) -> None:
        opened: list[io.BytesIO] = []

        def open_body() -> io.BytesIO:
            opened.append(io.BytesIO(content))
            return opened[-1]

        content = bytes(range(256)) * 4000
        source = UploadSource(open_body, len(content), "f.bin", "application/octet-stream", identity=1)
        with self._served(lambda e: e.answer()) as (server, bench):
            for _ in range(2):
                request = Request("PUT", f"{server.url}/put?signature=s", {"Content-Type": "x/y"}, source)
                assert bench.send(request).status == 200
        assert [exchange.body for exchange in server.seen] == [content, content]
        assert {exchange.headers.get("content-length") for exchange in server.seen} == {str(len(content))}
        assert [file.closed for file in opened] == [True, True]

    def test_an_upload_that_grew_is_sent_as_it_was_announced(self) -> None:
        content = bytes(range(256)) * 4000
        with self._served(lambda e: e.answer()) as (server, bench):
            for size in (len(content), 0):
                source = _source_of(content + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", size)
                assert bench.send(Request("PUT", f"{server.url}/put", {}, source)).status == 200
                bench.send(_get(server, "next"))
        assert [exchange.target for exchange in server.seen] == ["/put", "/next"] * 2
        assert [len(exchange.body) for exchange in server.seen] == [len(content), 0, 0, 0]

    def test_an_upload_that_shrank_says_so_at_once_and_its_connection_is_used_no_more(self) -> None:
        with self._served(lambda e: e.answer(e.target.encode())) as (server, bench):
            bench.send(_get(server))
            started = time.monotonic()
            shrunk = _source_of(bytes(1000), 3_000_000)
            error = self._error_of(bench, Request("PUT", f"{server.url}/put", {}, shrunk))
            assert isinstance(error, UploadError)
            assert "3000000 bytes announced, 1000 there" in str(error)
            assert time.monotonic() - started < PATIENCE
            assert bench.send(_get(server, "next")).body == b"/next"
            assert server.connections == 2

    def test_a_compressed_body_is_unpacked(self) -> None:
        packed = gzip.compress(b"hello" * 1000)
        with self._served(lambda e: e.answer(packed, headers={"Content-Encoding": "gzip"})) as (
            server,
            bench,
        ):
            assert bench.send(_get(server)).body == b"hello" * 1000

    def test_chunks_come_together_however_they_were_cut(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            for letter in b"streams":
                exchange.write(b"1;why=not\r\n", bytes([letter]), b"\r", b"\n")
            exchange.write(b"0\r\nX-Trailer: yes\r\n\r\n")

        with self._served(handle) as (server, bench):
            assert bench.send(_get(server)).body == b"streams"
            stream = bench.open(_get(server))
            assert b"".join(iter(lambda: stream.read(PATIENCE), b"")) == b"streams"

    def test_a_body_without_length_ends_with_the_connection(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start(200, {"Connection": "close"})
            exchange.write(b"all there is")
            exchange.close()

        with self._served(handle) as (server, bench):
            assert bench.send(_get(server)).body == b"all there is"

    # --- answers that are too long ---

    max_response_bytes = 300_000
    """What the transports under test take at most."""

    def test_an_answer_of_the_longest_length_is_taken_however_it_is_told(self) -> None:
        for answer in _ANSWERS:
            with self._served(partial(answer, size=self.max_response_bytes)) as (server, bench):
                assert bench.send(_get(server)).body == bytes(self.max_response_bytes)

    def test_a_longer_answer_is_refused_before_it_fills_the_memory(self) -> None:
        for answer in [*_ANSWERS, _answer_without_end]:
            with self._served(partial(answer, size=self.max_response_bytes + 1)) as (
                server,
                bench,
            ):
                error = self._error_of(bench, _get(server))
                assert isinstance(error, ResponseTooLongError), error
                assert str(self.max_response_bytes) in str(error)

    # --- what goes wrong ---

    def test_a_refused_connection_was_not_sent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with self._served(lambda e: e.answer()) as (_, bench):
            error = self._error_of(bench, Request("GET", f"http://127.0.0.1:{port}/x?token=secret", {}))
        assert isinstance(error, ConnectError)
        assert not error.sent
        assert "secret" not in str(error)

    def test_a_server_that_speaks_no_tls_was_not_sent_anything(self) -> None:
        with self._served(lambda e: e.answer()) as (_, bench), Loopback(lambda e: e.answer()) as plain_server:
            url = plain_server.url.replace("http:", "https:")
            error = self._error_of(bench, Request("GET", url, {}, connect_timeout=2.0))
        assert isinstance(error, ConnectError)
        assert plain_server.seen == []

    def test_a_connection_that_breaks_before_the_answer_may_have_been_heard(self) -> None:
        for end in (Exchange.close, Exchange.reset):
            with self._served(end) as (server, bench):
                error = self._error_of(bench, Request("POST", f"{server.url}/run?token=secret", {}, b"{}"))
            assert type(error) is TransportError
            assert error.sent
            assert "secret" not in str(error)

    def test_a_body_shorter_than_promised_is_no_answer(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start(200, {"Content-Length": "100"})
            exchange.write(b"only this")
            exchange.close()

        self._is_broken(handle)

    def test_a_chunked_body_without_its_end_is_no_answer(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            exchange.chunk(b"only this")
            exchange.close()

        self._is_broken(handle)

    def test_a_chunk_cut_in_the_middle_is_no_answer(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            exchange.write(b"64\r\nonly this")
            exchange.reset()

        self._is_broken(handle)

    def test_an_answer_that_is_no_http_is_no_answer(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            exchange.close()

        with self._served(handle) as (server, bench):
            assert isinstance(self._error_of(bench, _get(server)), TransportError)

    def test_a_connection_closed_while_idle_costs_no_request(self) -> None:
        left = threading.Event()

        def handle(exchange: Exchange) -> None:
            exchange.answer()
            if exchange.connection == 1:
                exchange.close()
                left.set()

        with self._served(handle) as (server, bench):
            bench.send(_get(server))
            assert left.wait(PATIENCE)
            assert bench.send(_get(server)).status == 200
            assert server.connections == 2

    # --- deadlines ---

    def test_a_silent_server_is_given_up_in_time(self) -> None:
        with self._served(Exchange.hang) as (server, bench):
            self._gives_up(lambda: bench.send(_get(server, seconds=0.3)), 0.3)
            self._gives_up(lambda: bench.open(_get(server, seconds=0.3)), 0.3)

    def test_a_trickling_header_is_given_up_in_time(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            exchange.trickle(b"a", 0.05)

        with self._served(handle) as (server, bench):
            self._gives_up(lambda: bench.send(_get(server, seconds=0.3)), 0.3)
            self._gives_up(lambda: bench.open(_get(server, seconds=0.3)), 0.3)

    def test_a_trickling_body_is_given_up_in_time(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start(200, {"Content-Length": "1000"})
            exchange.trickle(b"a", 0.05)

        with self._served(handle) as (server, bench):
            self._gives_up(lambda: bench.send(_get(server, seconds=0.3)), 0.3)

    def test_an_upload_that_nobody_takes_is_given_up_in_time(self) -> None:
        size = 64 * 1024 * 1024
        source = UploadSource(lambda: cast("BinaryIO", _Zeros()), size, "f.bin", "x/y", identity=1)
        with self._served(lambda e: e.answer()) as (_, bench), socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/put"
            request = Request("PUT", url, {}, source, read_timeout=PATIENCE, time_limit=0.4)
            self._gives_up(lambda: bench.send(request), 0.4)

    def test_a_stream_that_falls_silent_is_given_up_in_time(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            exchange.chunk(b"first")
            exchange.hang()

        with self._served(handle) as (server, bench):
            stream = bench.open(_get(server, seconds=0.2))
            assert stream.read(PATIENCE) == b"first"
            self._gives_up(lambda: stream.read(0.4), 0.4)
            stream.close()
            stream.close()

    # --- streams ---

    def test_a_stream_gives_bytes_as_they_come_and_nothing_at_its_end(self) -> None:
        heard = threading.Event()

        def handle(exchange: Exchange) -> None:
            exchange.start(200, {"Transfer-Encoding": "chunked", "X-Kind": "Lines"})
            exchange.chunk(b"first\n")
            assert heard.wait(PATIENCE)
            exchange.chunk(b"second\n")
            exchange.chunk(b"")

        with self._served(handle) as (server, bench):
            stream = bench.open(_get(server))
            assert (stream.status, stream.headers["x-kind"]) == (200, "Lines")
            assert stream.read(PATIENCE) == b"first\n"
            heard.set()
            assert stream.read(None) == b"second\n"
            assert stream.read(PATIENCE) == b""
            assert stream.read(PATIENCE) == b""
            stream.close()

    def test_a_stream_may_take_longer_than_its_header_was_given(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            exchange.wait(0.5)
            exchange.chunk(b"late")
            exchange.chunk(b"")

        with self._served(handle) as (server, bench):
            stream = bench.open(_get(server, seconds=0.3))
            assert stream.read(PATIENCE) == b"late"
            stream.close()

    def test_a_stream_closed_early_closes_its_connection_and_no_other_call_meets_the_rest(self) -> None:
        left = threading.Event()

        def handle(exchange: Exchange) -> None:
            if exchange.target != "/stream":
                exchange.answer(b"fine")
                return
            exchange.start()
            exchange.chunk(b"first")
            if exchange.peer_left(PATIENCE):
                left.set()

        with self._served(handle) as (server, bench):
            stream = bench.open(_get(server, "stream"))
            assert stream.read(PATIENCE) == b"first"
            stream.close()
            assert bench.send(_get(server)).body == b"fine"
            assert left.wait(PATIENCE)

    def test_closing_a_stream_ends_a_read_that_waits(self) -> None:
        def handle(exchange: Exchange) -> None:
            exchange.start()
            exchange.hang()

        with self._served(handle) as (server, bench):
            stream = bench.open(_get(server))
            started = time.monotonic()
            bench.read_until_closed(stream, 0.1)
            assert time.monotonic() - started < PATIENCE / 2

    # --- connections ---

    def test_a_connection_is_used_again_after_sends_and_streams_read_to_their_end(self) -> None:
        with self._served(lambda e: e.answer(b"abc")) as (server, bench):
            for _ in range(3):
                bench.send(_get(server))
                stream = bench.open(_get(server))
                while stream.read(PATIENCE):
                    pass
                stream.close()
            assert server.connections == 1

    def test_calls_side_by_side_get_their_own_answers(self) -> None:
        together = threading.Barrier(4)

        def handle(exchange: Exchange) -> None:
            together.wait(PATIENCE)
            exchange.answer(exchange.target.encode())

        with self._served(handle) as (server, bench):
            for _ in range(3):
                responses = bench.send_together([_get(server, str(number)) for number in range(4)])
                assert [response.body for response in responses] == [b"/%d" % number for number in range(4)]
            assert server.connections == 4

    def test_closing_a_transport_closes_its_connections(self) -> None:
        left = threading.Event()

        def handle(exchange: Exchange) -> None:
            exchange.answer()
            if exchange.peer_left(PATIENCE):
                left.set()

        with Loopback(handle, self.server_context) as server:
            bench = self._bench()
            bench.send(_get(server))
            bench.close()
            assert left.wait(PATIENCE)

    def test_closing_a_transport_ends_what_others_wait_for(self) -> None:
        arrived = threading.Event()

        def handle(exchange: Exchange) -> None:
            if exchange.target != "/silent":
                exchange.start(200, {"Connection": "close"} if exchange.target == "/until-the-end" else None)
                exchange.write(b"5\r\nfirst\r\n")
            arrived.set()
            exchange.hang()

        for path, opens in (("silent", False), ("chunks", False), ("chunks", True), ("until-the-end", True)):
            with self._served(handle) as (server, bench):
                arrived.clear()
                started = time.monotonic()
                bench.use_until_closed(_get(server, path), arrived, opens=opens)
                assert time.monotonic() - started < PATIENCE / 2, f"{path} went on after the close"

    def _error_of(self, bench: Any, request: Request) -> Exception:
        try:
            response = bench.send(request)
        except (TransportError, UploadError) as error:
            return error
        raise AssertionError(f"{request!r} should have failed and gave {response!r}")

    def _is_broken(self, handle: Callable[[Exchange], None]) -> None:
        with self._served(handle) as (server, bench):
            assert isinstance(self._error_of(bench, _get(server)), TransportError)
            heard = b""
            stream = bench.open(_get(server))
            try:
                while chunk := stream.read(PATIENCE):
                    heard += chunk
            except TransportError:
                stream.close()
            else:
                raise AssertionError(f"a stream that was cut ended as if it were whole, after {heard!r}")
            assert b"only this".startswith(heard)

    def _gives_up(self, act: Callable[[], Any], seconds: float) -> None:
        started = time.monotonic()
        try:
            result = act()
        except ReadTimeoutError:
            taken = time.monotonic() - started
        else:
            raise AssertionError(f"there was {result!r} where nothing could come in time")
        assert seconds * 0.9 <= taken <= seconds + self.overshoot, f"{taken:.3f} s in place of {seconds} s"


class AsyncTransportContract(TransportContract):
    """What a transport of an asynchronous client has to do; it is made on the event loop."""

    def _bench(self) -> Any:
        return Awaited(self.make_transport, self._config())


def _answer_with_length(exchange: Exchange, size: int) -> None:
    exchange.answer(bytes(size))


def _answer_in_chunks(exchange: Exchange, size: int) -> None:
    exchange.start()
    exchange.chunk(bytes(size))
    exchange.chunk(b"")


def _answer_packed(exchange: Exchange, size: int) -> None:
    exchange.answer(gzip.compress(bytes(size)), headers={"Content-Encoding": "gzip"})


def _answer_until_the_end(exchange: Exchange, size: int) -> None:
    exchange.start(200, {"Connection": "close"})
    exchange.write(bytes(size))
    exchange.close()


def _answer_without_end(exchange: Exchange, size: int) -> None:
    exchange.start()
    while not exchange.wait(0):
        exchange.chunk(bytes(size // 30))


_ANSWERS = (_answer_with_length, _answer_in_chunks, _answer_packed, _answer_until_the_end)


class _Zeros(io.RawIOBase):
    """A file without an end."""

    def read(self, size: int = -1, /) -> bytes:
        return bytes(size)


def _source_of(content: bytes, size: int) -> UploadSource:
    """Give a source that is not of the size it announces."""
    return UploadSource(lambda: io.BytesIO(content), size, "f.bin", "x/y", identity=1)


def _get(server: Loopback, path: str = "", seconds: float = PATIENCE) -> Request:
    return Request("GET", f"{server.url}/{path}", {}, read_timeout=seconds)
