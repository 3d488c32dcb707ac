"""The engine against other model servers: one function that gives back its input, a request for each call."""

from __future__ import annotations

import time
from functools import partial

import processes
from measure import Options, Promise, Row, Sample, interleave, program, table
from model_servers import CONTESTANTS, TEXT, Contestant, not_started, seconds_to_answer, started

IN_FLIGHT = (1, 32)


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
    with started(contestant) as server:
        if (start := seconds_to_answer("POST", contestant.path, contestant, server)) is None:
            return not_started(contestant)
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
    with started(contestant) as server:
        if seconds_to_answer("GET", "/health", contestant, server) is None:
            return not_started(contestant)
        pid = server.process.pid
        time.sleep(1)
        before = processes.cpu_seconds(pid)
        time.sleep(seconds)
        return {"cpu": (processes.cpu_seconds(pid) - before) / seconds, "memory": processes.memory_bytes(pid)}
