"""Runs the benchmarks named, or all, and prints their tables: `python benchmarks/run.py [NAME…]`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import time
from pathlib import Path

from measure import Options

PARTS = ["client_cpu", "start", "streams", "uploads", "many", "async_client", "engine", "promises"]
README = Path(__file__).parent / "README.md"
MARK = "<!-- printed by run.py --record -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(PARTS)}; all of them by default"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="little work and three rounds: does it run, roughly what comes out",
    )
    parser.add_argument("--rounds", type=int, help="runs of each contender (5; 3 when quick)")
    parser.add_argument(
        "--without", action="append", default=[], metavar="CONTENDER", help="leave one out, e.g. bentoml"
    )
    parser.add_argument("--record", action="store_true", help="write what was printed into README.md as well")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PARTS):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    rounds = arguments.rounds or (3 if arguments.quick else 5)
    options = Options(rounds, arguments.quick, frozenset(arguments.without))
    printed = [machine(options)]
    print(printed[0], flush=True)
    for name in arguments.names or PARTS:
        printed.append(importlib.import_module(name).run(options))
        print(printed[-1], flush=True)
    if arguments.record:
        before = README.read_text().partition(MARK)[0]
        README.write_text(before + MARK + "\n" + "\n".join(printed))


def machine(options: Options) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{time.strftime('%Y-%m-%d')}: Python {platform.python_version()},"
        f" {platform.system()} {platform.release()},"
        f" {os.cpu_count()} CPUs, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at the start;"
        f" medians of {options.rounds} interleaved rounds{', quick' if options.quick else ''}\n"
    )


if __name__ == "__main__":
    main()
