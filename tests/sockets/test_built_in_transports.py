"""The built-in transports, beyond what their contract asks."""

import gc
import gzip
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from certificates import bundle, serving_as
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import ConnectError, ResponseTooLongError, TransportError
from inferencesh_core.http import environment
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.messages import Request
from inferencesh_core.testing.benches import PATIENCE, Awaited, Blocking
from inferencesh_core.testing.loopback import Loopback
from into_buffers import IntoBuffers

BUILT_IN = [(Blocking, HttpClientTransport), (Blocking, IntoBuffers), (Awaited, AsyncioTransport)]


@pytest.fixture(params=BUILT_IN, ids=["http.client", "http.client into buffers", "asyncio"])
def make_transport(request):
    """Makes a transport of each world with some settings; all are closed at the end."""
    made = []

    def make(**settings):
        bench, transport = request.param
        made.append(bench(transport, ClientConfig(**settings)))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def transport(make_transport):
    return make_transport()


def get(url):
    return Request("GET", url, {})


def stream_of(transport, url):
    stream = transport.open(get(url))
    try:
        return b"".join(iter(lambda: stream.read(PATIENCE), b""))
    finally:
        stream.close()


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/a%2Fb/c?d=e%20f&g=", "/a%2Fb/c?d=e%20f&g="),
        ("/p;v=1?q=a/b?c#fragment", "/p;v=1?q=a/b?c"),
        ("/name with spaces/é?s=~-._!$'()*,", "/name%20with%20spaces/%C3%A9?s=~-._!$'()*,"),
    ],
)
def test_the_target_is_sent_as_written_but_for_what_no_target_may_hold(transport, written, sent):
    with Loopback(lambda e: e.answer()) as server:
        host = server.url.removeprefix("http://")
        transport.send(get(server.url + written))
        transport.send(get(f"http://user:password@{host}{written}"))
    assert [exchange.target for exchange in server.seen] == [sent, sent]
    assert [exchange.headers["host"] for exchange in server.seen] == [host, host]


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "http://", "http://127.0.0.1:port/", f"http://{'a' * 70}.test/", "http://a b/"],
)
def test_an_address_that_cannot_be_one_is_not_connected_to(transport, url):
    with pytest.raises(ConnectError, match="cannot connect"):
        transport.send(get(url))


def test_headers_of_one_name_are_joined(transport):
    with Loopback(lambda e: e.answer(headers={"X-Some": "a", "x-some": "b"})) as server:
        assert transport.send(get(server.url)).headers["x-some"] == "a, b"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hel") + gzip.compress(b"lo")),
        ("X-GZip", gzip.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")),
        ("unknown", b"hello"),
    ],
    ids=["two members", "another name", "deflate", "unknown"],
)
def test_packed_bodies_are_unpacked_whole_or_as_they_arrive(transport, encoding, packed):
    def handle(exchange):
        exchange.start(200, {"Transfer-Encoding": "chunked", "Content-Encoding": encoding})
        for byte in packed:
            exchange.chunk(bytes([byte]))
        exchange.chunk(b"")

    with Loopback(handle) as server:
        assert transport.send(get(server.url)).body == b"hello"
        assert stream_of(transport, server.url) == b"hello"


def test_a_body_that_is_not_packed_as_it_says_is_no_answer(transport):
    with Loopback(lambda e: e.answer(b"plain", headers={"Content-Encoding": "gzip"})) as server:
        with pytest.raises(TransportError, match=r"not packed as it says|while decompressing"):
            transport.send(get(server.url))
        with pytest.raises(TransportError, match=r"not packed as it says|while decompressing"):
            stream_of(transport, server.url)


def test_no_more_idle_connections_are_kept_than_configured(make_transport):
    transport = make_transport(pool_size=1)
    together = threading.Barrier(3)

    def handle(exchange):
        together.wait(PATIENCE)
        exchange.answer()

    with Loopback(handle) as server:
        transport.send_together([get(server.url)] * 3)
        assert server.connections == 3
        transport.pass_time(lambda: server.open_connections == 1)


def test_a_stream_closed_unread_leaves_its_answer_to_nobody(transport):
    with Loopback(lambda e: e.answer(e.target.encode() * 10)) as server:
        transport.open(get(f"{server.url}/first")).close()
        assert transport.send(get(f"{server.url}/second")).body == b"/second" * 10


def test_an_answer_that_was_too_long_leaves_nothing_to_the_next(make_transport):
    transport = make_transport(max_response_bytes=100)

    def handle(exchange):
        exchange.start()
        exchange.chunk(b"x" * (101 if exchange.target == "/long" else 100))
        exchange.chunk(b"")

    with Loopback(handle) as server:
        with pytest.raises(ResponseTooLongError):
            transport.send(get(f"{server.url}/long"))
        assert transport.send(get(f"{server.url}/next")).body == b"x" * 100


def test_a_proxy_that_refuses_is_named_without_its_password(transport, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    with Loopback(lambda e: e.answer(b"", 407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("://", "://user:proxy-password@"))
        with pytest.raises(ConnectError, match="407") as told:
            transport.send(get("https://elsewhere.test/x?token=secret"))
    assert "proxy-password" not in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "headers",
    [{"": "a"}, {"X:": "a"}, {" X": "a"}, {"X": "a\nb"}, {"X": "a\rb"}],
    ids=repr,
)
def test_a_header_that_is_none_is_not_sent(transport, headers):
    with Loopback(lambda e: e.answer()) as server:
        with pytest.raises(ValueError, match=r"[Hh]eader"):
            transport.send(Request("GET", server.url, headers))
        assert transport.send(get(server.url)).status == 200
    assert len(server.seen) == 1


def test_what_no_header_can_hold_is_said_without_saying_it(transport):
    with (
        Loopback(lambda e: e.answer()) as server,
        pytest.raises(ValueError, match=r"latin-1|Authorization") as told,
    ):
        transport.send(Request("GET", server.url, {"Authorization": "Bearer secret-€"}))
    assert "secret" not in str(told.value)


def test_a_header_with_a_line_end_in_it_is_not_sent(transport):
    with Loopback(lambda e: e.answer()) as server, pytest.raises(ValueError, match=r"[Hh]eader"):
        transport.send(Request("GET", server.url, {"X-Some": "a\r\nX-Other: b"}))
    assert server.seen == []


@pytest.mark.parametrize("after", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake", b"\r\n"])
def test_what_a_server_says_after_its_answer_is_nobodys(transport, after):
    said = threading.Event()

    def handle(exchange):
        exchange.answer(exchange.target.encode())
        if exchange.target == "/first":
            exchange.write(after)
            said.set()

    with Loopback(handle) as server:
        assert transport.send(get(f"{server.url}/first")).body == b"/first"
        assert said.wait(PATIENCE)
        assert transport.send(get(f"{server.url}/second")).body == b"/second"


def test_a_server_that_speaks_unasked_is_left_and_the_next_call_has_its_own_answer(transport):
    may_speak, has_spoken = threading.Event(), threading.Event()

    def handle(exchange):
        exchange.answer(exchange.target.encode())
        if exchange.target == "/first":
            assert may_speak.wait(PATIENCE)
            exchange.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            has_spoken.set()

    with Loopback(handle) as server:
        transport.send(get(f"{server.url}/first"))
        may_speak.set()
        assert has_spoken.wait(PATIENCE)
        assert transport.send(get(f"{server.url}/second")).body == b"/second"
        assert server.connections == 2


def test_what_nobody_closed_leaves_no_sockets_open():
    with Loopback(lambda e: e.answer(b"abc")) as server:
        transport = HttpClientTransport(ClientConfig())
        transport.send(get(server.url))
        transport.open(get(server.url))
        del transport
        gc.collect()  # a socket that was left open is a warning, and so an error


def test_threads_that_start_together_read_the_authorities_once(tmp_path, monkeypatch):
    made = []
    make = environment.ssl.create_default_context
    monkeypatch.setattr(environment.ssl, "create_default_context", lambda **kw: made.append(kw) or make(**kw))
    transport = HttpClientTransport(ClientConfig(verify=bundle(tmp_path)))

    with Loopback(lambda e: e.answer(), serving_as("127.0.0.1")) as server, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: transport.send(get(server.url)), range(16)))
        transport.close()
    assert len(made) == 1


def test_a_proxy_the_environment_names_carries_the_calls(transport, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    with Loopback(lambda e: e.answer(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert transport.send(get("http://elsewhere.test/x")).body == b"by proxy"
        assert stream_of(transport, "http://elsewhere.test/y") == b"by proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with Loopback(lambda e: e.answer(b"directly")) as server:
            assert transport.send(get(server.url)).body == b"directly"
    assert [exchange.target for exchange in proxy.seen] == [
        "http://elsewhere.test/x",
        "http://elsewhere.test/y",
    ]
