"""The asynchronous client on real sockets and real loops."""

import ast
import asyncio
import gc
import io
import sys
import threading
import time
import warnings

import pytest

from inferencesh_async import AsyncInference, async_inference
from inferencesh_async.slots import MAX_CONNECTIONS
from inferencesh_core import inference
from inferencesh_core.errors import ConfigurationError, UploadError
from inferencesh_core.testing.loopback import Loopback

PATIENCE = 10.0
RUN = {"app": "a/b", "input": {}}


def tasks_at_once(exchange):
    """Runs every task at once; its output is its input."""
    number = exchange.target.split("/")[2]
    if exchange.target.endswith("/run"):
        exchange.answer({"id": str(exchange.json["input"]), "status": 1})
    elif exchange.target.endswith("/stream"):
        exchange.start()
        exchange.chunk(b'{"id": "%s", "status": 7}\n' % number.encode())
        exchange.chunk(b'{"id": "%s", "status": 10, "output": %s}\n' % (number.encode(), number.encode()))
        exchange.chunk(b"")
    else:
        exchange.answer({"id": number, "status": 10})


class Gate:
    """A task that runs until it is let go, and who heard what on the way."""

    def __init__(self):
        self.left = threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, exchange):
        if exchange.target.endswith("/run"):
            exchange.answer({"id": "t1", "status": 1})
        elif exchange.target.endswith("/cancel"):
            exchange.answer(b"", 200)
            self.cancelled.set()
        elif exchange.target.endswith("/stream"):
            exchange.start()
            exchange.chunk(b'{"id": "t1", "status": 7}\n')
            if exchange.peer_left(PATIENCE):
                self.left.set()
        elif exchange.peer_left(PATIENCE):
            self.left.set()


def client_of(server, **options):
    return async_inference("key", server.url, **options)


# --- one client, its session and its loops ---


def test_a_client_made_before_there_is_a_loop_works_in_one():
    with Loopback(tasks_at_once) as server:
        client = client_of(server)

        async def main():
            async with client:
                return await client.tasks.run({"app": "a/b", "input": 3})

        assert asyncio.run(main())["output"] == 3
        assert server.connections == 1


def test_one_call_after_another_uses_one_socket_streams_included():
    async def main():
        async with client_of(server) as client:
            for number in range(10):
                assert (await client.tasks.run({"app": "a/b", "input": number}))["output"] == number

    with Loopback(tasks_at_once) as server:
        asyncio.run(main())
        assert server.connections == 1


def test_a_client_serves_one_loop_after_another():
    with Loopback(tasks_at_once) as server:
        client = client_of(server)

        async def once():
            return await client.tasks.get("t1")

        assert [asyncio.run(once())["id"] for _ in range(3)] == ["t1"] * 3
        asyncio.run(client.aclose())
        assert _gone(server)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_was_closed_with_connections_open_takes_nothing_but_them():
    with Loopback(tasks_at_once) as server:
        client = client_of(server)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.tasks.get("t1"))
        loop.close()
        assert asyncio.run(client.tasks.get("t2"))["id"] == "t2"
        other = client_of(server)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(other.tasks.get("t1"))
        loop.close()
        asyncio.run(other.aclose())
        asyncio.run(client.aclose())
        del client, other, loop
        for _ in range(3):  # the end of one sort of garbage makes another
            gc.collect()


def test_a_client_in_two_loops_at_once_says_so():
    with Loopback(tasks_at_once) as server:
        client = client_of(server)

        async def elsewhere():
            await client.tasks.get("t1")

        async def main():
            async with client:
                await client.tasks.get("t1")
                with pytest.raises(ConfigurationError, match="another event loop: make one client for each"):
                    await asyncio.to_thread(asyncio.run, elsewhere())

        asyncio.run(main())


@pytest.mark.parametrize("use", [True, False])
def test_a_closed_client_says_so(use):
    async def main():
        client = client_of(server)
        if use:
            await client.tasks.get("t1")
        await client.aclose()
        await client.aclose()
        for act in (client.tasks.get("t1"), client.tasks.run(RUN), client.files.upload(b"x")):
            with pytest.raises(ConfigurationError, match="this client is closed"):
                await act

    with Loopback(tasks_at_once) as server:
        asyncio.run(main())


def test_closing_a_client_closes_its_sockets():
    async def main():
        async with client_of(server) as client:
            await asyncio.gather(*(client.tasks.get(str(number)) for number in range(5)))
            assert server.open_connections
        assert await asyncio.to_thread(_gone, server)

    with Loopback(tasks_at_once) as server:
        asyncio.run(main())


@pytest.mark.parametrize("after", ["in the loop", "after the loop"])
def test_a_client_that_was_never_closed_is_named_in_a_warning_and_leaves_no_socket(after):
    async def main():
        client = client_of(server)
        await client.tasks.get("t1")
        if after == "after the loop":
            return client
        del client
        gc.collect()
        return None

    with Loopback(tasks_at_once) as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = asyncio.run(main())
        del client
        gc.collect()
        assert _gone(server)
        expected = f"<AsyncInference of {server.url}> was never closed: await client.aclose()"
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == [expected]


def test_a_client_that_was_never_used_needs_no_closing():
    async_inference("key")
    gc.collect()


def _gone(server):
    end = time.monotonic() + PATIENCE
    while server.open_connections and time.monotonic() < end:
        time.sleep(0.005)
    return not server.open_connections


# --- shapes ---


@pytest.mark.parametrize("inner_await", [True, False])
def test_updates_are_iterated_over_with_the_inner_await_or_without(inner_await):
    async def main():
        async with client_of(server) as client:
            updates = client.tasks.run({"app": "a/b", "input": 1}, stream=True)
            updates = await updates if inner_await else updates
            return [update["status"] async for update in updates], updates.result

    with Loopback(tasks_at_once) as server:
        statuses, result = asyncio.run(main())
    assert statuses == [7, 10]
    assert result["output"] == 1


def test_the_old_names_on_the_client_do_what_the_namespaces_do(tmp_path):
    async def main():
        async with client_of(server) as client:
            assert (await client.run({"app": "a/b", "input": 1}))["output"] == 1
            assert (await client.get_task("5"))["id"] == "5"
            assert (await client.wait_for_completion("6", timeout=5))["output"] == 6
            assert [update["status"] async for update in client.stream_task("7")] == [7, 10]

    with Loopback(tasks_at_once) as server:
        asyncio.run(main())


def test_many_tasks_come_as_they_complete_with_so_many_under_way():
    async def main():
        async with client_of(server) as client:
            params = ({"app": "a/b", "input": number} for number in range(100))
            return [task["output"] async for task in client.tasks.run_many(params, concurrency=8)]

    with Loopback(tasks_at_once) as server:
        assert sorted(asyncio.run(main())) == [*range(100)]
        assert server.connections <= 8


@pytest.mark.parametrize("params", [7, None, {"app": "a/b"}, "abc"])
def test_many_of_what_is_no_list_of_tasks_is_a_type_error(params):
    async def main():
        async with async_inference("key", "http://127.0.0.1:9") as client:
            with pytest.raises(TypeError):
                await anext(client.tasks.run_many(params))

    asyncio.run(main())


# --- leaving early ---


async def _started(server, line):
    while not any(exchange.target.endswith(line) for exchange in server.seen):  # noqa: ASYNC110 - by a thread
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("line", ["/t1", "/stream"])
def test_cancelling_who_waits_closes_the_connection_at_once(line):
    async def main():
        async with client_of(server) as client:
            waiting = asyncio.create_task(
                client.tasks.get("t1") if line == "/t1" else client.tasks.wait_for_completion("t1")
            )
            await _started(server, line)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(gate.left.wait, PATIENCE)

    gate = Gate()
    with Loopback(gate) as server:
        asyncio.run(main())
        assert not gate.cancelled.is_set()


def test_cancelling_who_asked_for_it_cancels_the_task_too():
    async def main():
        async with client_of(server) as client:
            waiting = asyncio.create_task(client.tasks.run(RUN, cancel_on_exit=True))
            await _started(server, "/stream")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(gate.left.wait, PATIENCE)
            assert await asyncio.to_thread(gate.cancelled.wait, PATIENCE)

    gate = Gate()
    with Loopback(gate) as server:
        asyncio.run(main())


def test_a_time_limit_around_a_call_is_obeyed_and_costs_only_that_call():
    async def main():
        async with client_of(server) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.tasks.wait_for_completion("t1"), 0.2)
            assert (await client.tasks.run(RUN, wait=False))["id"] == "t1"

    with Loopback(Gate()) as server:
        asyncio.run(main())


def test_leaving_many_early_leaves_no_connection_and_no_coroutine():
    async def main():
        async with client_of(server) as client:
            results = client.tasks.run_many([RUN] * 5, concurrency=5)
            first = asyncio.create_task(anext(results))
            await _started(server, "/stream")
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await results.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await asyncio.to_thread(_gone, server)

    with Loopback(Gate()) as server:
        asyncio.run(main())


# --- pressure ---


def test_a_slow_consumer_holds_the_server_back():
    blocked = threading.Event()

    def endless(exchange):
        exchange.start()
        exchange._socket.settimeout(0.5)
        try:
            for number in range(100_000):
                exchange.chunk(b'{"id": "t1", "status": 7, "output": "%d%s"}\n' % (number, b"x" * 10_000))
        except TimeoutError:
            blocked.set()

    async def main():
        async with client_of(server) as client, client.tasks.stream("t1") as updates:
            await anext(aiter(updates))
            assert await asyncio.to_thread(blocked.wait, PATIENCE)

    with Loopback(endless) as server:
        asyncio.run(main())


def test_a_thousand_calls_at_once_share_the_usual_number_of_sockets():
    async def main():
        async with client_of(server) as client:
            tasks = await asyncio.gather(*(client.tasks.get(str(number)) for number in range(1000)))
            return [int(task["id"]) for task in tasks]

    with Loopback(tasks_at_once) as server:
        assert asyncio.run(main()) == [*range(1000)]
        assert server.connections <= MAX_CONNECTIONS


def test_streams_that_stay_open_are_not_limited():
    wanted = MAX_CONNECTIONS + 20
    together = threading.Barrier(wanted)

    def handle(exchange):
        exchange.start()
        exchange.chunk(b'{"id": "t1", "status": 7}\n')
        together.wait(PATIENCE)
        exchange.chunk(b'{"id": "t1", "status": 10}\n')
        exchange.chunk(b"")

    async def main():
        async with client_of(server) as client:
            waits = (client.tasks.wait_for_completion("t1") for _ in range(wanted))
            return [task["status"] for task in await asyncio.gather(*waits)]

    with Loopback(handle) as server:
        assert asyncio.run(main()) == [10] * wanted


# --- uploads ---


def test_an_upload_reads_its_file_beside_the_loop(tmp_path):
    stored = []

    def handle(exchange):
        if exchange.method == "PUT":
            stored.append(exchange.body)
            exchange.answer()
        else:
            exchange.answer([{"id": "f", "uri": "inf://f", "upload_url": f"{server.url}/put"}])

    reading = []

    class Recorded(io.BytesIO):
        def read(self, size=-1):
            if size > 10_000:  # a look at what kind of file it is reads next to nothing
                reading.append(threading.current_thread())
            return super().read(size)

    path = tmp_path / "big.bin"
    path.write_bytes(bytes(range(256)) * 20_000)

    async def main():
        async with client_of(server) as client:
            await client.files.upload(path)
            await client.files.upload(Recorded(path.read_bytes()))

    with Loopback(handle) as server:
        asyncio.run(main())
    assert stored == [path.read_bytes()] * 2
    assert reading
    assert threading.main_thread() not in reading


def test_an_upload_whose_coroutine_is_cancelled_closes_file_and_connection(tmp_path):
    left = threading.Event()
    begun = threading.Event()

    def handle(exchange):
        exchange.answer([{"id": "f", "uri": "inf://f", "upload_url": f"http://127.0.0.1:{port}/put"}])

    def take_a_little(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            begun.set()
            connection.settimeout(PATIENCE)
            while connection.recv(1 << 20):
                pass
            left.set()

    async def main():
        async with client_of(server) as client:
            upload = asyncio.create_task(client.files.upload(path))
            await asyncio.to_thread(begun.wait, PATIENCE)
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            assert await asyncio.to_thread(left.wait, PATIENCE)

    import socket

    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with socket.create_server(("127.0.0.1", 0)) as listener, Loopback(handle) as server:
        port = listener.getsockname()[1]
        store = threading.Thread(target=take_a_little, args=(listener,))
        store.start()
        asyncio.run(main())
        store.join()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    async def main():
        async with async_inference("key", "http://127.0.0.1:9") as client:
            with pytest.raises(UploadError, match=r"missing\.png"):
                await client.files.upload(tmp_path / "missing.png")

    asyncio.run(main())


# --- other loops, other clients ---


def test_uvloop_carries_it_as_well():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        async with client_of(server) as client:
            assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
            params = ({"app": "a/b", "input": number} for number in range(20))
            return sorted([task["output"] async for task in client.tasks.run_many(params)])

    with Loopback(tasks_at_once) as server:
        loop = uvloop.new_event_loop()
        try:
            assert loop.run_until_complete(main()) == [*range(20)]
        finally:
            loop.close()


def test_the_synchronous_client_works_inside_a_running_loop():
    async def main():
        with inference("key", server.url) as client:
            assert client.tasks.run({"app": "a/b", "input": 3})["output"] == 3
            assert [task["output"] for task in client.tasks.run_many([{"app": "a/b", "input": 4}])] == [4]

    with Loopback(tasks_at_once) as server:
        asyncio.run(main())


CELLS = """
client = async_inference("key", url)
---
task = await client.tasks.run({"app": "a/b", "input": 7})
---
updates = [update["status"] async for update in client.tasks.run({"app": "a/b", "input": 8}, stream=True)]
---
with inference("key", url) as blocking:
    same = blocking.tasks.run({"app": "a/b", "input": 9})
---
params = [{"app": "a/b", "input": number} for number in range(3)]
many = [task["output"] async for task in client.tasks.run_many(params)]
await client.aclose()
"""


def test_cells_of_a_notebook_share_a_client():
    """A notebook runs its cells one after the other on a loop that goes on between them."""

    async def run_cells(names):
        for cell in CELLS.split("---"):
            code = compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if (running := eval(code, names)) is not None:
                await running
            await asyncio.sleep(0)
        return names

    with Loopback(tasks_at_once) as server:
        names = {"async_inference": async_inference, "inference": inference, "url": server.url}
        asyncio.run(run_cells(names))
    assert (names["task"]["output"], names["same"]["output"], names["updates"][-1]) == (7, 9, 10)
    assert sorted(names["many"]) == [0, 1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of other systems")
def test_proxies_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("http_proxy", "")
    monkeypatch.setenv("no_proxy", "")
    asked = []

    def proxy(exchange):
        asked.append(exchange.target)
        exchange.answer({"id": "t1", "status": 10})

    async def main():
        async with async_inference("key", "http://api.test") as client:
            return (await client.tasks.get("t1"))["id"]

    with Loopback(proxy) as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert asyncio.run(main()) == "t1"
    assert asked == ["http://api.test/tasks/t1"]


def test_a_client_says_what_it_is():
    assert repr(AsyncInference("key")) == "<AsyncInference of https://api.inference.sh>"
