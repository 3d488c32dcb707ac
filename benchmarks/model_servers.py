"""Model servers that serve one function, started as their documentation says."""

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
from pathlib import Path
from typing import TYPE_CHECKING

import environments
import processes

if TYPE_CHECKING:
    from measure import Sample

APPS = Path(__file__).parent / "apps"
STATE = environments.HOME / "engine-state"
LOG = environments.HOME / "engine.log"
TEXT = "the text that comes back"
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


def not_started(contestant: Contestant) -> Sample:
    """What a benchmark says instead of figures."""
    return {"error": f"{contestant.folder} did not answer; it wrote {LOG}"}


@dataclass(frozen=True)
class Server:
    """One that runs."""

    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def started(contestant: Contestant) -> Iterator[Server]:
    """The server, on a free port and with nothing left of an earlier run; it may not listen yet."""
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


def seconds_to_answer(method: str, path: str, contestant: Contestant, server: Server) -> float | None:
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
