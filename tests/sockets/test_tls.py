"""Whom the clients trust, and large bodies in many records."""

import contextlib
import io
import os
import ssl

import pytest

from certificates import AUTHORITY_VARIABLES, bundle, serving_as
from inferencesh_async.aiohttp_transport import AiohttpTransport
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import CertificateError, ConfigurationError, TransportError
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.messages import Request
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.sources import UploadSource
from inferencesh_core.testing.benches import PATIENCE, Awaited, Blocking
from inferencesh_core.testing.loopback import Loopback
from into_buffers import IntoBuffers
from ports import taken_by

BODY = os.urandom(3_000_000)


@pytest.fixture(autouse=True)
def no_authority_named(monkeypatch):
    for variable in AUTHORITY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(
    params=[
        (Blocking, HttpClientTransport),
        (Blocking, IntoBuffers),
        (Blocking, Urllib3Transport),
        (Blocking, RequestsTransport),
        (Awaited, AsyncioTransport),
        (Awaited, AiohttpTransport),
    ],
    ids=["http.client", "http.client into buffers", "urllib3", "requests", "asyncio", "aiohttp"],
)
def make_bench(request):
    """Makes a transport of each kind with `verify` set; all are closed at the end."""
    benches = []

    def make(verify=True):
        bench, transport = request.param
        benches.append(bench(lambda _: transport(ClientConfig(verify=verify))))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def server():
    with Loopback(lambda exchange: exchange.answer(BODY), serving_as("127.0.0.1")) as server:
        yield server


def answer(bench, server):
    return bench.send(Request("GET", server.url, {})).body


@pytest.mark.parametrize("variable", AUTHORITY_VARIABLES)
def test_an_authority_the_environment_names_is_trusted(make_bench, server, variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, bundle(tmp_path))

    assert answer(make_bench(), server) == BODY


def test_an_authority_the_caller_names_is_trusted_whatever_the_environment_names(
    make_bench, server, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))

    assert answer(make_bench(bundle(tmp_path)), server) == BODY


def test_a_server_nobody_vouches_for_is_refused_and_told_nothing(make_bench, server):
    with pytest.raises(CertificateError, match="certificate verify failed"):
        answer(make_bench(), server)
    assert server.seen == []


def test_a_certificate_for_another_name_is_refused(make_bench, tmp_path):
    with Loopback(lambda exchange: exchange.answer(BODY), serving_as("elsewhere.example")) as server:
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1"):
            answer(make_bench(bundle(tmp_path)), server)
        assert server.seen == []


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_without_verification_anybody_is_believed(make_bench, server):
    assert answer(make_bench(verify=False), server) == BODY


def test_a_bundle_that_cannot_be_read_is_named_with_who_named_it(make_bench, server, tmp_path, monkeypatch):
    absent, empty = str(tmp_path / "absent.pem"), tmp_path / "empty.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", absent)

    with pytest.raises(
        ConfigurationError, match=r"SSL_CERT_FILE names .*absent\.pem.* cannot be read: No such"
    ):
        answer(make_bench(), server)
    with pytest.raises(ConfigurationError, match=r"verify names .*empty\.pem.* cannot be read"):
        answer(make_bench(str(empty)), server)


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_a_stream_of_many_records_arrives_whole(make_bench, tmp_path, chunked):
    def handle(exchange):
        if not chunked:
            exchange.answer(BODY)
            return
        exchange.start()
        for start in range(0, len(BODY), 500_000):
            exchange.chunk(BODY[start : start + 500_000])
        exchange.chunk(b"")

    with Loopback(handle, serving_as("127.0.0.1")) as server:
        stream = make_bench(bundle(tmp_path)).open(Request("GET", server.url, {}))
        assert b"".join(iter(lambda: stream.read(PATIENCE), b"")) == BODY


def test_what_came_before_a_cut_is_given_and_the_cut_is_told(make_bench, tmp_path):
    def handle(exchange):
        exchange.start()
        exchange.chunk(BODY[:200_000])
        exchange.close()

    received = []
    with Loopback(handle, serving_as("127.0.0.1")) as server:
        stream = make_bench(bundle(tmp_path)).open(Request("GET", server.url, {}))
        with pytest.raises(TransportError):
            received.extend(iter(lambda: stream.read(PATIENCE), b""))
        stream.close()
    assert b"".join(received) == BODY[:200_000]


def test_a_server_that_says_farewell_together_with_its_answer_is_asked_nothing_more(make_bench, tmp_path):
    """Its connection stays open: it waits for ours to be closed first."""
    context, left_open = serving_as("127.0.0.1"), []

    def take(connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        heard = b""
        while b"\r\n\r\n" not in heard:
            with contextlib.suppress(ssl.SSLWantReadError):
                heard += tls.read(1 << 16)
                continue
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(1 << 16))
        tls.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        left_open.append(connection.dup())
        connection.sendall(outgoing.read())

    with taken_by(take, take) as authority:
        bench = make_bench(bundle(tmp_path))
        for _ in range(2):
            assert bench.send(Request("GET", f"https://{authority}/", {})).body == b"answer"
    for connection in left_open:
        connection.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_an_answer_before_all_was_heard_is_taken(tmp_path, encrypted):
    context = serving_as("127.0.0.1")

    def take(connection):
        with context.wrap_socket(connection, server_side=True) if encrypted else connection as wire:
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += wire.recv(1000)
            wire.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")

    scheme = "https" if encrypted else "http"
    transport = HttpClientTransport(ClientConfig(verify=bundle(tmp_path)))
    with taken_by(take) as authority, contextlib.closing(transport):
        source = UploadSource(lambda: io.BytesIO(BODY * 10), len(BODY) * 10, "f.bin", "x/y", identity=1)
        request = Request("PUT", f"{scheme}://{authority}/", {}, source)
        response = transport.send(request)
    assert (response.status, response.body) == (413, b"no")
