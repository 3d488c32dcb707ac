"""The engine held to its own promises: durable creates, time to the function, flat under a steady load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from measure import Options, Promise, Row, Sample, interleave, program, table
from model_servers import (
    CONTESTANTS,
    STATE,
    TEXT,
    Contestant,
    Server,
    not_started,
    seconds_to_answer,
    started,
)

ENGINE = CONTESTANTS["ours"]
CREATING = replace(ENGINE, body={"app": "bench/noop", "input": {"text": TEXT}})
ENTERING = replace(ENGINE, body={"app": "bench/clock", "input": {"text": TEXT}, "wait": True})
CLIENTS = 16
TASKS_PER_SECOND = 50
SETTLE_SECONDS = 240
"""By then as many finished tasks are kept as ever will be, so from there on nothing may grow."""


def run(options: Options) -> str:
    creates = interleave({"ours": partial(_with_engine, CREATING, _creates, options)}, options)
    entered = interleave({"ours": partial(_with_engine, ENTERING, _entered, options)}, options)
    rows = [
        Row(
            f"durable creates, {CLIENTS} clients",
            "tasks/s",
            "rate",
            creates,
            promise=Promise(300, at_most=False),
        ),
        Row("created to function entered, p50", "ms", "entered p50", entered, 1e3, promise=Promise(5)),
    ]
    if not options.quick:
        rows += _steady_rows({"ours": [_with_engine(ENGINE, _steady, options)]})
    return table("Engine: what it promises by itself", rows)


def _steady_rows(samples: dict[str, list[Sample]]) -> list[Row]:
    def row(what: str, unit: str, metric: str, scale: float, promise: Promise | None = None) -> Row:
        return Row(
            f"10 minutes at {TASKS_PER_SECOND} tasks/s: {what}", unit, metric, samples, scale, promise=promise
        )

    return [
        row("reached", "tasks/s", "rate", 1),
        row("failures", "tasks", "failures", 1, Promise(0)),
        row("memory", "MB", "memory", 1e-6),
        row("growth of memory", "MB", "memory growth", 1e-6, Promise(5)),
        row("growth of open files", "files", "files growth", 1, Promise(0)),
        row("state on disk", "MB", "state", 1e-6),
        row("growth of state on disk", "MB", "state growth", 1e-6, Promise(5)),
    ]


def _with_engine(
    contestant: Contestant, measure: Callable[[Contestant, Server, Options], Sample], options: Options
) -> Sample:
    """A fresh engine with a warm worker, measured."""
    with started(contestant) as server:
        warm = replace(contestant, body={**contestant.body, "wait": True})
        if seconds_to_answer("POST", warm.path, warm, server) is None:
            return not_started(contestant)
        return measure(contestant, server, options)


def _creates(contestant: Contestant, server: Server, options: Options) -> Sample:
    job = {
        "path": contestant.path,
        "body": contestant.body,
        "headers": contestant.headers,
        "port": server.port,
    }
    times = {"warm_up": 1, "seconds": options.size(8, 3)}
    return program("this", "load.py", {**job, **times, "in_flight": CLIENTS, "expected": TEXT})


def _entered(contestant: Contestant, server: Server, options: Options) -> Sample:
    headers = {**contestant.headers, "Content-Type": "application/json"}
    job = {"path": contestant.path, "body": contestant.body, "headers": headers, "port": server.port}
    return program("this", "entered.py", {**job, "warm_up": 50, "tasks": options.size(1000, 300)})


def _steady(_contestant: Contestant, server: Server, _options: Options) -> Sample:
    params = {"app": "bench/noop", "input": {"text": TEXT}}
    target = {"port": server.port, "pid": server.process.pid, "state": str(STATE), "key": "key"}
    times = {"seconds": 600, "settle": SETTLE_SECONDS, "rest": 20, "rate": TASKS_PER_SECOND}
    return program("ours", "steady.py", {**target, **times, "params": params})
