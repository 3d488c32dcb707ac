"""One client in many threads and processes: its sockets, counted."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from inferencesh_async import async_inference
from inferencesh_core import inference
from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import ConfigurationError
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.messages import Request
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.testing.loopback import Loopback

TRANSPORTS = [HttpClientTransport, Urllib3Transport, RequestsTransport]


def task_server(exchange):
    """Runs every task at once; a task's id is its number, and its output too."""
    number = exchange.target.rpartition("/")[2]
    if exchange.target.endswith("/run"):
        exchange.answer({"id": str(exchange.json["input"]), "status": 1})
    elif exchange.target.endswith("/stream"):
        number = exchange.target.split("/")[2]
        exchange.start()
        exchange.chunk(b'{"id": "%s", "status": 7}\n' % number.encode())
        exchange.chunk(b'{"id": "%s", "status": 10, "output": %s}\n' % (number.encode(), number.encode()))
        exchange.chunk(b"")
    else:
        exchange.answer({"id": number, "status": 10})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_threads_share_a_client_and_each_gets_its_own_answers(transport):
    with Loopback(task_server) as server:
        client = inference("key", server.url, transport=transport(ClientConfig()))
        with client, ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda number: client.tasks.get(str(number)), range(400)))
        assert [int(task["id"]) for task in answers] == [*range(400)]
        assert server.connections <= 16


def test_running_many_tasks_uses_no_more_sockets_than_tasks_at_once():
    with Loopback(task_server) as server:
        with inference("key", server.url) as client:
            params = ({"app": "a/b", "input": number} for number in range(200))
            results = client.tasks.run_many(params, concurrency=8)
            assert sorted(task["output"] for task in results) == [*range(200)]
        assert server.connections <= 8


def test_one_call_after_another_uses_one_socket_streams_included():
    with Loopback(task_server) as server:
        with inference("key", server.url) as client:
            for number in range(20):
                assert client.tasks.run({"app": "a/b", "input": number})["output"] == number
        assert server.connections == 1


@pytest.mark.parametrize("use", [True, False])
def test_a_closed_client_says_so_and_sends_nothing(use):
    with Loopback(task_server) as server:
        client = inference("key", server.url)
        if use:
            client.tasks.get("1")
        client.close()
        client.close()
        for act in (
            lambda: client.tasks.get("1"),
            lambda: client.files.upload(b"x"),
            lambda: next(iter(client.tasks.stream("1"))),
        ):
            with pytest.raises(ConfigurationError, match="this client is closed"):
                act()
        assert server.connections == int(use)


def test_closing_a_client_closes_its_sockets_and_the_threads_of_a_run_left_early_end():
    before = threading.active_count()
    followed, left = threading.Event(), threading.Event()

    def handle(exchange):
        if exchange.target.endswith("/run"):
            exchange.answer({"id": str(exchange.json["input"]), "status": 1})
        elif exchange.target.startswith("/tasks/0/"):
            task_server(exchange)
        else:
            exchange.start()
            exchange.chunk(b'{"id": "x", "status": 7}\n')
            followed.set()
            if exchange.peer_left(10):
                left.set()

    with Loopback(handle) as server, inference("key", server.url) as client:
        results = client.tasks.run_many(({"app": "a/b", "input": n} for n in range(4)), concurrency=4)
        assert next(results)["output"] == 0
        assert followed.wait(10)
        results.close()
        assert left.wait(10)
        workers = [thread for thread in threading.enumerate() if thread.name == "inferencesh-flow"]
        for thread in workers:
            thread.join(10)
        assert not any(thread.is_alive() for thread in workers)
    assert threading.active_count() <= before


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_stream_read_while_another_thread_closes_it_is_closed_all_the_same(transport):
    left = threading.Event()

    def handle(exchange):
        exchange.start()
        exchange.chunk(b"first")
        if exchange.peer_left(10):
            left.set()

    with Loopback(handle) as server:
        carrier = transport(ClientConfig())
        stream = carrier.open(Request("GET", server.url, {}))
        assert stream.read(10) == b"first"
        body = getattr(stream._response, "_fp", stream._response)
        close_body = body.close

        def closed_and_read():
            """Read where another thread might: the body is closed by then, its connection not yet."""
            body.close = close_body
            close_body()
            stream.read(10)

        body.close = closed_and_read
        stream.close()
        assert left.wait(10)
        carrier.close()


def never_over(arrived):
    """Give a server whose tasks run for ever; ``arrived`` is set when somebody waits for what it says."""

    def handle(exchange):
        if exchange.target.endswith("/run"):
            exchange.answer({"id": "t1", "status": 1})
        elif exchange.target.endswith("/stream"):
            exchange.start()
            exchange.chunk(b'{"id": "t1", "status": 7}\n')
            arrived.set()
            exchange.hang()
        elif exchange.target.endswith("/busy"):
            arrived.set()
            exchange.answer({"detail": "busy"}, 503, {"Retry-After": "30"})
        else:
            arrived.set()
            exchange.hang()

    return handle


WAITS = {
    "following": lambda client: client.tasks.wait_for_completion("t1"),
    "a stream": lambda client: list(client.tasks.stream("t1")),
    "a call": lambda client: client.tasks.get("t1"),
    "a pause between tries": lambda client: client.tasks.get("busy"),
    "many": lambda client: list(client.tasks.run_many([{"app": "a/b"}] * 3, concurrency=2)),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_closing_a_client_ends_what_other_threads_wait_for(transport, wait):
    arrived, ended = threading.Event(), []
    with Loopback(never_over(arrived)) as server:
        client = inference("key", server.url, transport=transport(ClientConfig()))

        def use():
            with pytest.raises(ConfigurationError, match="this client is closed"):
                wait(client)
            ended.append(True)

        user = threading.Thread(target=use)
        user.start()
        assert arrived.wait(10)
        started = time.monotonic()
        client.close()
        user.join(10)
        assert ended
        assert time.monotonic() - started < 2


def test_closing_a_client_still_cancels_what_was_to_be_cancelled_on_exit():
    arrived = threading.Event()
    with Loopback(never_over(arrived)) as server:
        client = inference("key", server.url)

        def use():
            with pytest.raises(ConfigurationError):
                client.tasks.run({"app": "a/b"}, cancel_on_exit=True)

        user = threading.Thread(target=use)
        user.start()
        assert arrived.wait(10)
        client.close()
        cancels = 0
        while not cancels and user.is_alive():
            cancels = [seen.target for seen in server.seen].count("/tasks/t1/cancel")
            user.join(0.01)
        assert cancels == 1
        server.closing.set()
        user.join(10)


@pytest.mark.parametrize("wait", ["following", "a call"])
def test_closing_an_asynchronous_client_ends_what_other_tasks_wait_for(wait):
    arrived = threading.Event()

    async def scene(url):
        client = async_inference("key", url)
        using = asyncio.ensure_future(WAITS[wait](client))
        assert await asyncio.to_thread(arrived.wait, 10)
        await client.aclose()
        with pytest.raises(ConfigurationError, match="this client is closed"):
            await asyncio.wait_for(using, 2)

    with Loopback(never_over(arrived)) as server:
        asyncio.run(scene(server.url))


@pytest.mark.parametrize("wait", ["a call", "many"])
def test_closing_an_asynchronous_client_ends_its_pauses_between_tries(wait):
    async def a_call(client):
        await client.tasks.get("t1")

    async def many(client):
        async for _ in client.tasks.run_many([{"app": "a/b"}] * 2, concurrency=2):
            raise AssertionError("nothing ran")

    async def scene(url):
        client = async_inference("key", url, backoff_base=30.0, backoff_cap=30.0)
        pausing = asyncio.Event()
        client.context.api.luck = lambda: pausing.set() or 1.0
        using = asyncio.ensure_future({"a call": a_call, "many": many}[wait](client))
        await asyncio.wait_for(pausing.wait(), 10)
        await client.aclose()
        with pytest.raises(ConfigurationError, match="this client is closed"):
            await asyncio.wait_for(using, 2)

    with Loopback(lambda e: e.answer({"detail": "busy"}, 503)) as server:
        asyncio.run(scene(server.url))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_that_closes_a_client_leaves_its_parent_alone(transport):
    forked_now = threading.Event()

    def handle(exchange):
        exchange.start()
        exchange.chunk(b'{"id": "t1", "status": 7}\n')
        assert forked_now.wait(10)
        exchange.chunk(b'{"id": "t1", "status": 10, "output": "whole"}\n')
        exchange.chunk(b"")

    with Loopback(handle) as server:
        with inference("key", server.url, transport=transport(ClientConfig())) as client:
            updates = iter(client.tasks.stream("t1"))
            assert next(updates)["status"] == 7
            child = os.fork()
            if child == 0:
                client.close()
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            forked_now.set()
            assert next(updates)["output"] == "whole"
        assert len(server.seen) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_uses_an_asynchronous_client_with_connections_of_its_own():
    async def ask(client, numbers):
        return [(await client.tasks.get(str(number)))["id"] for number in numbers]

    async def ask_and_close(client, numbers):
        answers = await ask(client, numbers)
        await client.aclose()
        return answers

    with Loopback(task_server) as server:
        client = async_inference("key", server.url)
        assert asyncio.run(ask(client, [1])) == ["1"]
        children = []
        for start in (100, 200):
            children.append(os.fork())
            if not children[-1]:
                right = False
                try:
                    numbers = range(start, start + 20)
                    right = asyncio.run(ask_and_close(client, numbers)) == [str(n) for n in numbers]
                finally:
                    os._exit(0 if right else 1)
        assert asyncio.run(ask(client, range(20))) == [str(number) for number in range(20)]
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
        assert asyncio.run(ask_and_close(client, [2])) == ["2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_uses_connections_of_its_own(transport):
    with Loopback(task_server) as server:
        with inference("key", server.url, transport=transport(ClientConfig())) as client:
            assert client.tasks.get("1")["id"] == "1"
            children = [forked(client, range(start, start + 20)) for start in (100, 200)]
            mine = [client.tasks.get(str(number))["id"] for number in range(20)]
            assert mine == [str(number) for number in range(20)]
            assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
            assert client.tasks.get("2")["id"] == "2"
        assert server.connections == 3


def forked(client, numbers):
    """Ask for tasks in a child process; its exit code is 0 when every answer was right."""
    child = os.fork()
    if child == 0:
        right = False
        try:
            right = all(client.tasks.get(str(number))["id"] == str(number) for number in numbers)
        finally:
            os._exit(0 if right else 1)
    return child


def test_a_long_follow_with_many_cuts_holds_one_socket_at_a_time():
    cuts = 12

    def handle(exchange):
        nonlocal cuts
        if not exchange.target.endswith("/stream"):
            exchange.answer({"id": "t1", "status": 7, "output": cuts})
        elif cuts:
            cuts -= 1
            most.append(server.open_connections)
            exchange.start()
            exchange.chunk(b'{"id": "t1", "status": 7}\n{"id": "t1", "st')
            exchange.reset()
        else:
            task_server(exchange)

    most = []
    with Loopback(handle) as server, inference("key", server.url) as client:
        task = client.tasks.stream("7", reconnect_delay_ms=1)
        assert list(task)[-1]["output"] == 7
    assert max(most) <= 3
