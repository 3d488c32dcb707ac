import asyncio

from inferencesh_async.aiohttp_transport import AiohttpTransport
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.testing.contract import AsyncTransportContract, TransportContract
from into_buffers import IntoBuffers


class TestHttpClientTransport(TransportContract):
    def make_transport(self, config):
        return HttpClientTransport(config)


class TestHttpClientTransportIntoBuffers(TransportContract):
    def make_transport(self, config):
        return IntoBuffers(config)


class TestUrllib3Transport(TransportContract):
    def make_transport(self, config):
        return Urllib3Transport(config)


class TestRequestsTransport(TransportContract):
    def make_transport(self, config):
        return RequestsTransport(config)


class TestAsyncioTransport(AsyncTransportContract):
    def make_transport(self, config):
        return AsyncioTransport(config)


class TestAiohttpTransport(AsyncTransportContract):
    def make_transport(self, config):
        return AiohttpTransport(config)


class OnThreads:
    """An asynchronous transport, or stream, that lets threads wait for a synchronous one."""

    def __init__(self, inner):
        self.inner = inner
        self.status = getattr(inner, "status", None)
        self.headers = getattr(inner, "headers", None)

    async def send(self, request):
        return await asyncio.to_thread(self.inner.send, request)

    async def open(self, request):
        return OnThreads(await asyncio.to_thread(self.inner.open, request))

    async def read(self, timeout):
        return await asyncio.to_thread(self.inner.read, timeout)

    async def close(self):
        await asyncio.to_thread(self.inner.close)


class TestAsynchronousTransport(AsyncTransportContract):
    def make_transport(self, config):
        asyncio.get_running_loop()
        return OnThreads(Urllib3Transport(config))
