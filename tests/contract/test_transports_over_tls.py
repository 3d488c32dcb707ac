"""The contract of transports once more, with a server that encrypts."""

import pytest

from certificates import AUTHORITY_VARIABLES, bundle, serving_as
from inferencesh_async.aiohttp_transport import AiohttpTransport
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.testing.contract import AsyncTransportContract, TransportContract
from into_buffers import IntoBuffers

SERVER = serving_as("127.0.0.1")


@pytest.fixture(autouse=True)
def trusted_server(tmp_path, monkeypatch):
    for variable in AUTHORITY_VARIABLES:
        monkeypatch.setenv(variable, bundle(tmp_path))


class TestHttpClientTransport(TransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return HttpClientTransport(config)


class TestHttpClientTransportIntoBuffers(TransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return IntoBuffers(config)


class TestUrllib3Transport(TransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return Urllib3Transport(config)


class TestRequestsTransport(TransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return RequestsTransport(config)


class TestAsyncioTransport(AsyncTransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return AsyncioTransport(config)


class TestAiohttpTransport(AsyncTransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return AiohttpTransport(config)
