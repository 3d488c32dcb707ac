"""Interleaved runs, medians, ratios, and the tables they are printed in."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import environments

PROGRAMS = Path(__file__).parent / "programs"

Sample = Mapping[str, float]
Samples = dict[str, list[Sample]]


@dataclass(frozen=True)
class Options:
    """How much to measure: `rounds` of every contender in turn, less work in each when `quick`.

    `without` names contenders to leave out.
    """

    rounds: int
    quick: bool
    without: frozenset[str] = frozenset()

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Promise:
    """What a ratio or a value has to reach: `at_most` or at least `must`, and the aim beyond it."""

    must: float
    aim: float | None = None
    at_most: bool = True

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        return f"{sign} {self.must:g}" + (f" ({self.aim:g})" if self.aim is not None else "")

    def kept(self, value: float) -> bool:
        return value <= self.must if self.at_most else value >= self.must


@dataclass(frozen=True)
class Row:
    """A line of a table: `metric` of each contender, `scale`d to the unit; the ratio: ours to `against`."""

    case: str
    unit: str
    metric: str
    samples: Samples
    scale: float = 1
    against: str | None = None
    promise: Promise | None = None

    def values(self, contender: str) -> list[float]:
        return [
            sample[self.metric] * self.scale
            for sample in self.samples.get(contender, [])
            if self.metric in sample
        ]

    def ratios(self) -> list[float]:
        """Ratios of runs of the same round, so that a disturbance touches both halves of each."""
        if self.against is None:
            return []
        pairs = zip(self.samples.get("ours", []), self.samples.get(self.against, []), strict=False)
        return [
            a[self.metric] / b[self.metric] for a, b in pairs if a.get(self.metric) and b.get(self.metric)
        ]

    def cells(self, contenders: Sequence[str]) -> list[str]:
        medians = [figure(self.values(contender)) for contender in contenders]
        ratios = self.ratios()
        judged = ratios if self.against else self.values("ours")
        spread = f"{min(ratios):.3g} to {max(ratios):.3g}" if ratios else ""
        return [
            f"{self.case}, {self.unit}",
            *medians,
            figure(ratios) if self.against else "",
            spread,
            self.verdict(judged),
        ]

    def verdict(self, judged: list[float]) -> str:
        if self.promise is None:
            return ""
        if not judged:
            return f"{self.promise}: not measured"
        return f"{self.promise}: {'kept' if self.promise.kept(statistics.median(judged)) else 'MISSED'}"


def figure(values: list[float]) -> str:
    return f"{statistics.median(values):.4g}" if values else "—"


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, with the errors of runs that failed under it."""
    contenders = list(dict.fromkeys(name for row in rows for name in row.samples))
    header = ["", *contenders, "ratio", "spread", "must (aim)"]
    lines = [header, ["---"] * len(header), *(row.cells(contenders) for row in rows)]
    failures = {
        f"- {row.case}, {name}: {sample['error']}"
        for row in rows
        for name, runs in row.samples.items()
        for sample in runs
        if "error" in sample
    }
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([f"### {title}\n", body, *(["", *sorted(failures)] if failures else []), ""])


def interleave(contenders: Mapping[str, Callable[[], Sample]], options: Options) -> Samples:
    """One sample of each contender in turn, `rounds` times, after one round that only warms up."""
    wanted = {name: run for name, run in contenders.items() if name not in options.without}
    samples: Samples = {name: [] for name in wanted}
    for number in range(options.rounds + 1):
        for name, run in wanted.items():
            sample = run()
            if number:
                samples[name].append(sample)
    return samples


def program(
    environment: str, script: str, argument: object, variables: Mapping[str, str] | None = None
) -> Sample:
    """What a script of `programs/` printed, or {"error": its last line of complaint}."""
    text = argument if isinstance(argument, str) else json.dumps(argument)
    command = [environments.interpreter(environment), PROGRAMS / script, text]
    done = subprocess.run(
        command, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        complaint = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"error": complaint[-1][:200]}
    return json.loads(done.stdout)
