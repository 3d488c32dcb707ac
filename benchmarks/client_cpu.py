"""CPU seconds per `client.tasks.get` on a warm client."""

from __future__ import annotations

from functools import partial

from measure import Options, Promise, Row, interleave, program, table

from serving import SCHEMES, bundle, serving, trust

PROMISES = {"plain": Promise(0.6, 0.40), "TLS": Promise(0.035, 0.02)}
CALLS = {
    "plain": (2000, 200),
    "TLS": (300, 50),
}  # full, quick; the published client takes 30 ms for one over TLS


def run(options: Options) -> str:
    return table("Client CPU per tasks.get", [_row(wire, options) for wire in SCHEMES])


def _row(wire: str, options: Options) -> Row:
    with serving("stub.py", wire) as server:
        job = {"url": server.url, "calls": options.size(*CALLS[wire]), "warm_up": 50, "bundle": str(bundle())}
        contenders = {
            name: partial(program, environment, script, {**job, "library": name}, trust())
            for name, environment, script in [
                ("ours", "ours", "get.py"),
                ("published", "published", "get.py"),
                ("requests", "published", "get_floor.py"),
                ("urllib3", "published", "get_floor.py"),
            ]
        }
        samples = interleave(contenders, options)
    return Row(wire, "µs", "cpu", samples, scale=1e6, against="published", promise=PROMISES[wire])
