"""The asynchronous client: what the other parts measure of the synchronous one."""

from __future__ import annotations

from functools import partial

import streams
import uploads
from client_cpu import CALLS
from measure import Options, Promise, Row, Sample, interleave, program, table
from start import timed

from serving import SCHEMES, serving, trust

MIB = 1 << 20
AT_ONCE = 200
CPU = {"plain": Promise(0.40, 0.32), "TLS": Promise(0.20, 0.15)}
STREAMED_TASKS = 2000


def run(options: Options) -> str:
    each = {wire: (_cpu(wire, options), _start(wire, options)) for wire in SCHEMES}
    tables = [
        table(f"Async client: CPU per tasks.get, {AT_ONCE} at once", [cpu for cpu, _ in each.values()]),
        table("Async client: start", [start for _, start in each.values()]),
        table("Async client: tasks at once", [row for wire in SCHEMES for row in _many(wire, options)]),
        table("Async client: streamed tasks at once", _streamed(options)),
        streams.run(options, "async_stream.py", "Async client: streams"),
        uploads.run(options, "async_upload.py", "Async client: upload"),
    ]
    return "\n".join(tables)


def _cpu(wire: str, options: Options) -> Row:
    with serving("stub.py", wire) as server:
        job = {"url": server.url, "calls": 4 * options.size(*CALLS["plain"]), "at_once": AT_ONCE}
        contenders = {
            name: partial(program, name, "async_get.py", job, trust()) for name in ("ours", "published")
        }
        samples = interleave(contenders, options)
    return Row(wire, "µs", "cpu", samples, 1e6, "published", CPU[wire])


def _start(wire: str, options: Options) -> Row:
    with serving("stub.py", wire) as server:
        contenders = {
            name: partial(timed, name, "async_start.py", server.url) for name in ("ours", "published")
        }
        samples = interleave(contenders, options)
    return Row(f"whole program, {wire}", "ms", "wall", samples, 1e3, "published", Promise(0.65, 0.60))


def _many(wire: str, options: Options) -> list[Row]:
    tasks = options.size(1000, 200)
    contenders = {name: partial(_at_once, name, wire, tasks) for name in ("ours", "published")}
    samples = interleave(contenders, options)
    case = f"{tasks} tasks, {wire}"
    return [
        Row(case, "tasks/s", "rate", samples, 1, "published", Promise(1.8, 2.0, at_most=False)),
        Row(case, "sockets open at once", "peak", samples, promise=Promise(100)),
        Row(case, "peak memory MiB", "memory", samples, 1 / MIB, promise=Promise(60)),
        Row(case, "failures", "failures", samples, promise=Promise(0)),
    ]


def _at_once(environment: str, wire: str, tasks: int) -> Sample:
    with serving("stub.py", wire) as server:
        sample = program(environment, "async_many.py", {"url": server.url, "tasks": tasks}, trust())
    return sample if "error" in sample else {**sample, **server.counts, "rate": tasks / sample["seconds"]}


def _streamed(options: Options) -> list[Row]:
    tasks = options.size(STREAMED_TASKS, STREAMED_TASKS)
    contenders = {name: partial(_open, name, tasks) for name in ("ours", "published")}
    samples = interleave(contenders, options)
    case = f"{tasks} streamed tasks"
    return [
        Row(case, "KiB each", "each", samples, 1 / 1024, promise=Promise(20)),
        Row(case, "failures", "failures", samples, promise=Promise(0)),
    ]


def _open(environment: str, tasks: int) -> Sample:
    with serving("stub.py", "plain") as server:
        return program(environment, "async_streams_at_once.py", {"url": server.url, "tasks": tasks}, trust())
