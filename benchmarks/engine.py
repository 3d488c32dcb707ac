"""The engine against other model servers: one function that gives back its input, a request for each call."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import environments
import processes
from measure import Options, Promise, Row, Sample, interleave, program, table

APPS = Path(__file__).parent / "apps"
STATE = environments.HOME / "engine-state"
LOG = environments.HOME / "engine.log"
TEXT = "the text that comes back"
IN_FLIGHT = (1, 32)
START_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Contestant:
    """How to start a server of the no-op function on a port, and what to send it."""

    folder: str
    environment: str
    command: Callable[[int], list[str]]
    path: str
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Callable[[int], str]] = field(default_factory=dict)


# Each as its own documentation starts it, with request logs turned off. The engine's state is on disk.
CONTESTANTS = {
    "ours": Contestant(
        "inferencesh",
        "ours",
        lambda port: (
            [
                "-m",
                "inferencesh_engine",
                "serve",
                ".",
                "--port",
                str(port),
                "--token",
                "key",
                "--state",
                str(STATE),
            ]
        ),
        "/apps/run",
        {"app": "bench/noop", "input": {"text": TEXT}, "wait": True},
        {"Authorization": "Bearer key", "X-API-Version": "2"},
    ),
    "litserve": Contestant(
        "litserve", "litserve", lambda port: ["server.py", str(port)], "/predict", {"text": TEXT}
    ),
    "bentoml": Contestant(
        "bentoml",
        "bentoml",
        lambda port: [
            "-m",
            "bentoml",
            "serve",
            "service:Noop",
            "-q",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        "/predict",
        {"text": TEXT},
    ),
    "cog": Contestant(
        "cog",
        "cog",
        lambda _: ["-m", "cog.server.http", "--host", "127.0.0.1"],
        "/predictions",
        {"input": {"text": TEXT}},
        # `cog build` writes these into the image, from cog.yaml (`predict`, `concurrency.max`).
        variables={
            "PORT": str,
            "COG_PREDICT_TYPE_STUB": lambda _: "predict.py:Predictor",
            "COG_MAX_CONCURRENCY": lambda _: (
                "64"
            ),  # a slot is free again only after its answer, so 32 would refuse some
            "COG_LOG_LEVEL": lambda _: "warn",
        },
    ),
}


def run(options: Options) -> str:
    contenders = {name: partial(_sample, contestant, options) for name, contestant in CONTESTANTS.items()}
    samples = interleave(contenders, options)
    idle = interleave({"ours": partial(_idle, CONTESTANTS["ours"], options.size(20, 5))}, options)
    return table(
        "Engine",
        [
            Row(
                "1 in flight",
                "requests/s",
                "rate 1",
                samples,
                1,
                "litserve",
                Promise(1.0, 1.2, at_most=False),
            ),
            Row(
                "32 in flight",
                "requests/s",
                "rate 32",
                samples,
                1,
                "litserve",
                Promise(1.0, 2.0, at_most=False),
            ),
            Row("p50 at 1", "ms", "p50 1", samples, 1e3, "litserve"),
            Row("p99 at 32", "ms", "p99 32", samples, 1e3, "litserve", Promise(0.6)),
            Row("errors at 32", "requests", "errors 32", samples, promise=Promise(0)),
            Row("start to first answer", "s", "start", samples, 1, "litserve", Promise(0.5)),
            Row("memory after the load", "MB", "memory", samples, 1e-6, "litserve", Promise(0.6)),
            Row("idle before any task, memory", "MB", "memory", idle, 1e-6, promise=Promise(80)),
            Row("idle before any task, CPU", "%", "cpu", idle, 100, promise=Promise(0.5)),
        ],
    )


def _sample(contestant: Contestant, options: Options) -> Sample:
    """Starts the server, waits for its first answer, loads it, looks at its memory, stops it."""
    with _started(contestant) as server:
        if (start := _seconds_to_answer("POST", contestant.path, contestant, server)) is None:
            return _not_started(contestant)
        sample: dict[str, float] = {"start": start}
        for in_flight in IN_FLIGHT:
            loaded = program("this", "load.py", _job(contestant, server.port, in_flight, options))
            sample |= {
                name if name == "error" else f"{name} {in_flight}": value for name, value in loaded.items()
            }
        return {**sample, "memory": processes.memory_bytes(server.process.pid)}


def _job(contestant: Contestant, port: int, in_flight: int, options: Options) -> dict[str, object]:
    target = {"path": contestant.path, "body": contestant.body, "headers": contestant.headers, "port": port}
    times = {"warm_up": options.size(3, 1), "seconds": options.size(8, 2)}
    return {**target, **times, "in_flight": in_flight, "expected": TEXT}


def _idle(contestant: Contestant, seconds: int) -> Sample:
    """The server before its first task, left alone for a while."""
    with _started(contestant) as server:
        if _seconds_to_answer("GET", "/health", contestant, server) is None:
            return _not_started(contestant)
        pid = server.process.pid
        time.sleep(1)
        before = processes.cpu_seconds(pid)
        time.sleep(seconds)
        return {"cpu": (processes.cpu_seconds(pid) - before) / seconds, "memory": processes.memory_bytes(pid)}


def _not_started(contestant: Contestant) -> Sample:
    return {"error": f"{contestant.folder} did not answer; it wrote {LOG}"}


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def _started(contestant: Contestant) -> Iterator[Server]:
    shutil.rmtree(STATE, ignore_errors=True)
    python, port = environments.interpreter(contestant.environment), _free_port()
    variables = {name: value(port) for name, value in contestant.variables.items()}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # as in an activated environment
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [python, *contestant.command(port)],
            cwd=APPS / contestant.folder,
            env={**os.environ, **variables, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield Server(process, port)
    finally:
        processes.stop(process)


def _seconds_to_answer(method: str, path: str, contestant: Contestant, server: Server) -> float | None:
    """Seconds until the route answers 200, asked every 10 ms; None when the server ended or time ran out."""
    start = time.perf_counter()
    while server.process.poll() is None and time.perf_counter() - start < START_LIMIT_SECONDS:
        if _answers(method, path, contestant, server.port):
            return time.perf_counter() - start
        time.sleep(0.01)
    return None


def _answers(method: str, path: str, contestant: Contestant, port: int) -> bool:
    body = json.dumps(contestant.body) if method == "POST" else None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {**contestant.headers, "Content-Type": "application/json"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # it does not listen yet
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
