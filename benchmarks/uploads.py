"""Upload of a large file: throughput against `curl -T`, and memory growth."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import environments
from measure import Options, Promise, Row, Sample, interleave, program, table

from serving import SCHEMES, serving, trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


HELD_MS = Promise(20, 10)


def run(options: Options, script: str = "upload.py", title: str = "Upload") -> str:
    size = options.size(2048, 256) * MIB
    with _file(size) as file:
        rows = [row for wire in SCHEMES for row in _rows(script, wire, file, size, options)]
    return table(f"{title} of {size // MIB} MiB", rows)


def _rows(script: str, wire: str, file: Path, size: int, options: Options) -> list[Row]:
    contenders = {
        "ours": partial(_upload, "ours", script, wire, file, size),
        "published": partial(_upload, "published", script, wire, file, size),
        "curl -T": partial(_curl, wire, file, size),
    }
    samples = interleave(contenders, options)
    # Only the programs that have a loop to hold say for how long they held it.
    held = [Row(f"loop held, {wire}", "ms", "held", samples, 1e3, promise=HELD_MS)]
    return [
        *(held if any("held" in sample for sample in samples["ours"]) else []),
        Row(wire, "MiB/s", "rate", samples, 1 / MIB, "curl -T", Promise(0.85, 0.95, at_most=False)),
        Row(f"memory growth, {wire}", "MiB", "growth", samples, 1 / MIB, promise=Promise(32)),
        Row(f"CPU of the server, {wire}", "%", "busy", samples, 100),
    ]


def _upload(environment: str, script: str, wire: str, file: Path, size: int) -> Sample:
    with serving("sink.py", wire) as sink:
        sample = program(environment, script, {"url": sink.url, "file": str(file), "bytes": size}, trust())
    return sample if "error" in sample else {**sample, **sink.counts}


def _curl(wire: str, file: Path, size: int) -> Sample:
    with serving("sink.py", wire) as sink:
        command = ["curl", "-sS", "-w", "%{time_total}", "-T", file, f"{sink.url}/put/f1"]
        done = subprocess.run(
            command, env={**os.environ, **trust()}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        return {"error": done.stderr.strip()[:200]}
    return {"rate": size / float(done.stdout), **sink.counts}


@contextmanager
def _file(size: int) -> Iterator[Path]:
    """A file of bytes that do not compress, on disk and in the page cache; gone afterwards."""
    path, block = environments.HOME / "upload.bin", os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(block)
    try:
        yield path
    finally:
        path.unlink()
