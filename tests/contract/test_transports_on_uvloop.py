"""The contract once more, on uvloop, plain and with a server that encrypts."""

import asyncio

import pytest

from certificates import AUTHORITY_VARIABLES, bundle, serving_as
from inferencesh_async.asyncio_transport import AsyncioTransport
from inferencesh_core.testing.contract import AsyncTransportContract

uvloop = pytest.importorskip("uvloop")

SERVER = serving_as("127.0.0.1")


@pytest.fixture(autouse=True)
def on_uvloop(tmp_path, monkeypatch):
    monkeypatch.setattr(asyncio, "new_event_loop", uvloop.new_event_loop)
    for variable in AUTHORITY_VARIABLES:
        monkeypatch.setenv(variable, bundle(tmp_path))


class TestAsyncioTransport(AsyncTransportContract):
    def make_transport(self, config):
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        return AsyncioTransport(config)


class TestAsyncioTransportOverTls(AsyncTransportContract):
    server_context = SERVER

    def make_transport(self, config):
        return AsyncioTransport(config)
