"""Events per second through `client.tasks.stream`, and its memory over many updates."""

from __future__ import annotations

import os
import subprocess
from functools import partial

from measure import Options, Promise, Row, Sample, Samples, interleave, program, table

from serving import SCHEMES, bundle, serving, trust

# case: (kind of recording, events, events when quick, promise)
CASES = {
    "small events": ("small", 50_000, 10_000, Promise(1.5, 1.8, at_most=False)),
    "text growing to 200 kB": ("growing", 400, 100, Promise(2.3, 2.5, at_most=False)),
    "1 MB lines": ("large", 30, 5, Promise(40, 50, at_most=False)),
    "partial updates": ("partial", 50_000, 10_000, Promise(1.5, 2.0, at_most=False)),
}
FRAMINGS = ("flushed", "proxied")
WITH_ORJSON = Promise(3, at_most=False)
FLAT_MIB = Promise(2)


def run(options: Options, script: str = "stream.py", title: str = "Streams") -> str:
    rows = []
    for wire in SCHEMES:
        with serving("stub.py", wire) as server:
            for framing in FRAMINGS:
                rows += _rows(script, server.url, framing, f"{framing}, {wire}", options)
            rows.append(_memory(script, server.url, wire, options))
    return table(title, rows)


def _rows(script: str, url: str, framing: str, where: str, options: Options) -> list[Row]:
    def row(case: str, ours: str, kind: str, events: int, promise: Promise) -> Row:
        samples = _race(script, url, f"{kind}-{events}-{framing}", ours, options)
        return Row(f"{case}, {where}", "events/s", "rate", samples, 1, "published", promise)

    rows = [
        row(case, "ours", kind, options.size(full, quick), promise)
        for case, (kind, full, quick, promise) in CASES.items()
    ]
    kind, full, quick, _ = CASES["small events"]
    return [*rows, row("small events, orjson", "ours+orjson", kind, options.size(full, quick), WITH_ORJSON)]


def _race(script: str, url: str, recording: str, ours: str, options: Options) -> Samples:
    job = {"url": url, "stream": recording, "bundle": str(bundle())}
    contenders = {
        "ours": partial(program, ours, script, job, trust()),
        "published": partial(program, "published", script, job, trust()),
        "urllib3 + json": partial(program, "published", "stream_floor.py", job, trust()),
        "socket": partial(program, "published", "stream_received.py", job, trust()),
        "curl": partial(_downloaded, f"{url}/tasks/{recording}", int(recording.split("-")[1]) + 1),
    }
    return interleave(contenders, options)


def _downloaded(address: str, events: int) -> Sample:
    """What the server and the wire allow: the stream received by curl, and thrown away."""
    curl = partial(subprocess.run, env={**os.environ, **trust()}, capture_output=True, text=True, check=True)
    curl(["curl", "--silent", "--fail", address])  # the server prepares the recording
    done = curl(["curl", "--silent", "--fail", "-o", os.devnull, "-w", "%{time_total}", f"{address}/stream"])
    return {"rate": events / float(done.stdout)}


def _memory(script: str, url: str, wire: str, options: Options) -> Row:
    job = {"url": url, "stream": "small-50000-proxied"}
    contenders = {name: partial(program, name, script, job, trust()) for name in ("ours", "published")}
    samples = interleave(contenders, options)
    return Row(
        f"growth from update 5,000 to 50,000, {wire}", "MiB", "growth", samples, 2**-20, promise=FLAT_MIB
    )
