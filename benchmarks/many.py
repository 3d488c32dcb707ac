"""1,000 tasks of 50 ms: our `run_many` with 64 at once, against the published client in 64 threads."""

from __future__ import annotations

from measure import Options, Promise, Row, Sample, interleave, program, table

from serving import SCHEMES, serving, trust

CONCURRENCY = 64


def run(options: Options) -> str:
    return table("Many tasks", [row for wire in SCHEMES for row in _rows(wire, options)])


def _rows(wire: str, options: Options) -> list[Row]:
    job = {"tasks": options.size(1000, 200), "concurrency": CONCURRENCY}
    contenders = {
        "ours": lambda: _sample("ours", "many_run_many.py", wire, job),
        "published": lambda: _sample("published", "many_threads.py", wire, job),
    }
    samples = interleave(contenders, options)
    case = f"{job['tasks']} tasks, {wire}"
    return [
        Row(case, "tasks/s", "rate", samples, 1, "published", Promise(2, 3, at_most=False)),
        Row(case, "sockets open at once", "peak", samples, promise=Promise(CONCURRENCY)),
        Row(case, "sockets in all", "accepted", samples),
        Row(case, "failures", "failures", samples, promise=Promise(0)),
    ]


def _sample(environment: str, script: str, wire: str, job: dict[str, int]) -> Sample:
    """A server of its own for each run, so that its sockets can be counted."""
    with serving("stub.py", wire) as server:
        sample = program(environment, script, {**job, "url": server.url}, trust())
    if "error" in sample:
        return sample
    return {**sample, **server.counts, "rate": job["tasks"] / sample["seconds"]}
