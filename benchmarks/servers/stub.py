"""A scripted stand-in for the service, light enough that the clients are what is measured.

`python stub.py [CERTIFICATE KEY]` prints its port as the first line, serves until its input closes, and then
prints what it counted.

    GET  /tasks/ID           the task: running while ID names a stream below, finished otherwise
    GET  /tasks/ID/stream    NDJSON, recorded and sent at full speed; ID is kind-count-framing
    POST /apps/run           a task that takes 50 ms; of the app acme/wait, one that runs until it is let go
    GET  /tasks/release      lets them go
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
from collections.abc import Iterator

TASK_SECONDS = 0.05
BLOCK_BYTES = 64 * 1024
PAGE_BYTES = 4096
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
TIME = "2026-03-01T09:00:00.120034Z"


def task(task_id: str, status: int, output: object) -> dict[str, object]:
    """A task as the service sends it, with the fields a client meets in practice."""
    return {
        "id": task_id,
        "short_id": task_id[:8],
        "created_at": TIME,
        "updated_at": TIME,
        "deleted_at": None,
        "user_id": "u1",
        "team_id": "t1",
        "visibility": "private",
        "status": status,
        "app_id": "a3",
        "app_version_id": "k3v9x2ab",
        "function": "run",
        "infra": "cloud",
        "workers": None,
        "webhook": None,
        "input": {"prompt": "a cat on a mat", "steps": 4, "size": [512, 512]},
        "output": output,
        "rating": "unrated",
        "events": [],
        "logs": [],
    }


def update(status: int, output: object) -> dict[str, object]:
    """A line of a stream, with the fields that callers of `stream` are given."""
    name = "2khet8d1p6z26krbtvn9d7rkth"
    times = {"created_at": TIME, "updated_at": TIME}
    return {"id": name, "status": status, "input": {"text": "hi"}, "output": output, "logs": [], **times}


def small(count: int) -> Iterator[object]:
    for number in range(count):
        yield update(7, {"response": f"step {number}"})


def growing(count: int) -> Iterator[object]:
    """The text so far, as LLM apps yield it: it grows evenly to 200 kB."""
    text = ("All work and no play makes Jack a dull boy. " * 5000)[:200_000]
    for number in range(1, count + 1):
        yield update(7, {"response": text[: len(text) * number // count]})


def large(count: int) -> Iterator[object]:
    for number in range(count):
        yield update(7, {"response": f"{number} " + "lorem ipsum " * 87_000})


def partial(count: int) -> Iterator[object]:
    yield update(7, {"response": ""})
    for number in range(count):
        yield {
            "data": {"status": 7, "output": {"response": f"step {number}"}},
            "fields": ["status", "output"],
        }


STREAMS = {kind.__name__: kind for kind in (small, growing, large, partial)}


def line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def flushed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """A chunk for each line, as a server sends it that flushes each event."""
    return map(chunk, lines)


def proxied(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Chunks of one page wherever lines begin and end, as a proxy with buffers of a page passes them on."""
    rest = b""
    for each in lines:
        rest += each
        whole = len(rest) // PAGE_BYTES * PAGE_BYTES
        yield from (chunk(rest[at : at + PAGE_BYTES]) for at in range(0, whole, PAGE_BYTES))
        rest = rest[whole:]
    yield chunk(rest) if rest else b""


FRAMINGS = {framing.__name__: framing for framing in (flushed, proxied)}


def recording(name: str) -> list[bytes]:
    """The whole stream `kind-count-framing`, encoded before the clock runs, in blocks."""
    kind, count, framing = name.split("-")
    values = itertools.chain(STREAMS[kind](int(count)), [update(10, {"response": "done"})])
    whole = b"".join(FRAMINGS[framing](map(line, values))) + LAST_CHUNK
    return [whole[at : at + BLOCK_BYTES] for at in range(0, len(whole), BLOCK_BYTES)]


def response(value: object) -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


class Service:
    def __init__(self) -> None:
        self.recordings: dict[str, list[bytes]] = {}
        self.due: dict[str, float] = {}
        self.released = asyncio.Event()
        self.counts = {"open": 0, "peak": 0, "accepted": 0, "requests": 0}

    def is_stream(self, task_id: str) -> bool:
        return task_id.partition("-")[0] in STREAMS

    def record(self, task_id: str) -> list[bytes]:
        if task_id not in self.recordings:
            self.recordings[task_id] = recording(task_id)
        return self.recordings[task_id]

    def create(self, app: bytes) -> dict[str, object]:
        kind = "wait" if b'"acme/wait"' in app else "many"
        task_id = f"{kind}{len(self.due):022d}"
        self.due[task_id] = asyncio.get_running_loop().time() + TASK_SECONDS
        return task(task_id, 1, None)

    def remaining(self, task_id: str) -> float:
        return self.due.get(task_id, 0.0) - asyncio.get_running_loop().time()

    def state(self, task_id: str) -> dict[str, object]:
        if self.is_stream(task_id):
            self.record(task_id)
            return task(task_id, 7, None)
        return task(task_id, 7, None) if self.remaining(task_id) > 0 else finished(task_id)


def finished(task_id: str) -> dict[str, object]:
    return task(task_id, 10, {"response": "done"})


class Connection(asyncio.Protocol):
    """One client connection: HTTP/1.1 with keep-alive, no more of it than the clients use."""

    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self.service, self.received = service, b""
        self.outgoing: Iterator[bytes] = iter(())
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        counts = self.service.counts
        counts["open"] += 1
        counts["accepted"] += 1
        counts["peak"] = max(counts["peak"], counts["open"])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio passes it)
        self.service.counts["open"] -= 1

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            _, _, length = head.partition(b"content-length:")
            whole = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(self.received) < whole:
                return
            method, path, _ = self.received[:end].split(b" ", 2)
            body = self.received[end + 4 : whole]
            self.received = self.received[whole:]
            self.service.counts["requests"] += 1
            self.answer(method.decode(), path.partition(b"?")[0].decode(), body)

    def answer(self, method: str, path: str, body: bytes) -> None:
        route = path.strip("/").split("/")
        if method == "POST" and route == ["apps", "run"]:
            self.transport.write(response(self.service.create(body)))
        elif route[0] == "tasks" and route[2:] == ["stream"]:
            self.stream(route[1])
        elif route == ["tasks", "release"]:
            self.service.released.set()
            self.transport.write(response(finished("release")))
        elif route[0] == "tasks" and len(route) == 2:
            self.transport.write(response(self.service.state(route[1])))
        else:
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def stream(self, task_id: str) -> None:
        if self.service.is_stream(task_id):
            self.outgoing = iter([STREAM_HEAD, *self.service.record(task_id)])
            self.pump()
        elif task_id.startswith("wait"):
            self.transport.write(STREAM_HEAD + chunk(line(task(task_id, 7, None))))
            self.waiting = asyncio.create_task(self.finish_when_released(task_id))
        elif (remaining := self.service.remaining(task_id)) > 0:
            self.transport.write(STREAM_HEAD + chunk(line(task(task_id, 7, None))))
            asyncio.get_running_loop().call_later(remaining, self.finish, task_id, b"")
        else:
            self.finish(task_id, STREAM_HEAD)

    def finish(self, task_id: str, head: bytes) -> None:
        self.transport.write(head + chunk(line(finished(task_id))) + LAST_CHUNK)

    async def finish_when_released(self, task_id: str) -> None:
        await self.service.released.wait()
        self.finish(task_id, b"")

    def pump(self) -> None:
        while not self.paused and (block := next(self.outgoing, None)):
            self.transport.write(block)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.pump()


async def serve(certificate: list[str]) -> None:
    loop, service = asyncio.get_running_loop(), Service()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context:
        context.load_cert_chain(*certificate)
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(service.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
