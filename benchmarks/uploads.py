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


def run(options: Options) -> str:
    size = options.size(2048, 256) * MIB
    with _file(size) as file:
        rows = [row for wire in SCHEMES for row in _rows(wire, file, size, options)]
    return table(f"Upload of {size // MIB} MiB", rows)


def _rows(wire: str, file: Path, size: int, options: Options) -> list[Row]:
    contenders = {
        "ours": partial(_upload, "ours", wire, file, size),
        "published": partial(_upload, "published", wire, file, size),
        "curl -T": partial(_curl, wire, file, size),
    }
    samples = interleave(contenders, options)
    return [
        Row(wire, "MiB/s", "rate", samples, 1 / MIB, "curl -T", Promise(0.85, 0.95, at_most=False)),
        Row(f"memory growth, {wire}", "MiB", "growth", samples, 1 / MIB, promise=Promise(32)),
        Row(f"CPU of the server, {wire}", "%", "busy", samples, 100),
    ]


def _upload(environment: str, wire: str, file: Path, size: int) -> Sample:
    with serving("sink.py", wire) as sink:
        sample = program(
            environment, "upload.py", {"url": sink.url, "file": str(file), "bytes": size}, trust()
        )
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
