"""Events that are there already are given at once, also while the server says nothing more."""

import time

import pytest

from certificates import AUTHORITY_VARIABLES, bundle, serving_as
from inferencesh_core import inference
from inferencesh_core.testing.benches import PATIENCE
from inferencesh_core.testing.loopback import Loopback
from worlds import held_client

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def context(request, tmp_path, monkeypatch):
    for variable in AUTHORITY_VARIABLES:
        monkeypatch.setenv(variable, bundle(tmp_path))
    return serving_as("127.0.0.1") if request.param else None


@pytest.mark.parametrize("make_client", [inference, held_client], ids=["blocking", "asyncio"])
@pytest.mark.parametrize("size", [1, 20_000, 200_000])
@pytest.mark.parametrize("after", [b"", b'{"id": "t1", "st'], ids=["whole lines", "half a line follows"])
def test_events_in_one_packet_with_the_head_are_given_before_anything_else_comes(
    make_client, context, size, after
):
    lines = [b'{"id": "t1", "status": 7, "output": "%d%s"}\n' % (n, b"x" * size) for n in range(3)]
    chunks = [b"%x\r\n%s\r\n" % (len(line), line) for line in (b"".join(lines) + after, b" ")]

    def handle(exchange):
        if exchange.target.endswith("/stream"):
            exchange.write(HEAD + b"".join(chunks))
            exchange.hang()
        else:
            exchange.answer({"id": "t1", "status": 7})

    started = time.monotonic()
    with Loopback(handle, context) as server, make_client("key", server.url) as client:
        updates = iter(client.tasks.stream("t1"))
        outputs = []
        while len(outputs) < len(lines):
            output = next(updates).get("output")
            if output is not None:
                outputs.append(output)
        assert time.monotonic() - started < PATIENCE
        assert outputs == [str(n) + "x" * size for n in range(3)]
        assert [exchange.target for exchange in server.seen].count("/tasks/t1/stream") == 1
        updates.close()


@pytest.mark.parametrize("make_client", [inference, held_client], ids=["blocking", "asyncio"])
def test_each_event_is_given_before_the_next_is_sent(make_client, context):
    """The server sends an event only once the one before it was taken."""
    taken = []

    def handle(exchange):
        if not exchange.target.endswith("/stream"):
            exchange.answer({"id": "t1", "status": 7})
            return
        exchange.start()
        for number, size in enumerate((1, 70_000, 3, 300_000, 5)):
            while len(taken) < number:
                if exchange.wait(0.005):
                    return
            line = b'{"id": "t1", "status": 7, "output": "%d%s"}\n' % (number, b"x" * size)
            exchange.chunk(line)
        exchange.hang()

    with Loopback(handle, context) as server, make_client("key", server.url) as client:
        updates = iter(client.tasks.stream("t1"))
        while len(taken) < 5:
            output = next(updates).get("output")
            if output is not None:
                taken.append(output)
        assert [output[0] for output in taken] == [*"01234"]
        assert [exchange.target for exchange in server.seen].count("/tasks/t1/stream") == 1
        updates.close()
