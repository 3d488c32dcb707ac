"""Time to start: a whole program with one GET, and the import alone."""

from __future__ import annotations

import time
from functools import partial

from measure import Options, Promise, Row, Sample, interleave, program, table

from serving import SCHEMES, serving, trust


def run(options: Options) -> str:
    return table("Start", [*(_whole(wire, options) for wire in SCHEMES), *_imports(options)])


def _whole(wire: str, options: Options) -> Row:
    with serving("stub.py", wire) as server:
        contenders = {name: partial(timed, name, "start.py", server.url) for name in ("ours", "published")}
        samples = interleave(contenders, options)
    return Row(f"whole program, {wire}", "ms", "wall", samples, 1e3, "published", Promise(0.5, 0.35))


def timed(environment: str, script: str, url: str) -> Sample:
    """Run a program, and time all of it."""
    start = time.perf_counter()
    sample = program(environment, script, url, trust())
    return {**sample, "wall": time.perf_counter() - start}


def _imports(options: Options) -> list[Row]:
    samples = interleave(
        {name: partial(program, name, "imports.py", "") for name in ("ours", "published")}, options
    )
    return [
        Row("import alone", "ms", "import", samples, 1e3, "published", Promise(0.10)),
        Row("import alone", "modules", "modules", samples, promise=Promise(40)),
    ]
