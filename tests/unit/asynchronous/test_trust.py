"""The authorities of an asynchronous client are read once, beside the loop."""

import asyncio
import ssl
import threading

import pytest

from inferencesh_async import trust as module
from inferencesh_async.trust import Trust
from inferencesh_core.errors import ConfigurationError

PATIENCE = 10


@pytest.fixture
def reading(monkeypatch):
    """Reading waits until it is let go; `reading.count` tells how often it began."""

    class Reading:
        def __init__(self):
            self.go_on = threading.Event()
            self.begun = threading.Event()
            self.count = 0

        def __call__(self, verify):
            self.count += 1
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
            if verify != "good":
                raise ConfigurationError(f"cannot be read: {verify}")
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    reading = Reading()
    monkeypatch.setattr(module, "tls_context", reading)
    yield reading
    reading.go_on.set()


def test_all_who_wait_get_what_was_read_once_also_when_one_leaves(reading):
    async def main():
        trust = Trust("good")
        waiting = [asyncio.create_task(trust.context()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        reading.go_on.set()
        first, second = await asyncio.gather(*waiting[1:])
        return first is second is await trust.context()

    assert asyncio.run(main())
    assert reading.count == 1


def test_what_could_not_be_read_is_tried_anew(reading):
    reading.go_on.set()
    trust = Trust("bad")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="bad"):
            asyncio.run(trust.context())
    assert reading.count == 2
