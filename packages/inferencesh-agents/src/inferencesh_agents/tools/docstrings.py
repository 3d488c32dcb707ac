"""What a function's docstring says of it and of its parameters, in Google's style."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"^(Args|Arguments|Parameters):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def summary_of(docstring: str | None) -> str:
    """The first paragraph, on one line; empty when there is none."""
    first = inspect.cleandoc(docstring or "").split("\n\n")[0].splitlines()
    until = next((place for place, line in enumerate(first) if _SECTION.match(line)), len(first))
    return " ".join(line.strip() for line in first[:until])


def parameters_of(docstring: str | None) -> dict[str, str]:
    """What ``Args:`` says of each parameter, on one line each."""
    told: dict[str, str] = {}
    name = None
    for line in _section(inspect.cleandoc(docstring or "").splitlines()):
        # Deeper lines go on with the parameter above them.
        if not line.startswith(" ") and (entry := _ENTRY.match(line)):
            name, told[name] = entry[1], entry[2].strip()
        elif name is not None:
            told[name] = f"{told[name]} {line.strip()}".strip()
    return told


def _section(lines: list[str]) -> list[str]:
    start = next((place for place, line in enumerate(lines, 1) if _SECTION.match(line)), len(lines))
    end = next((place for place in range(start, len(lines)) if lines[place][:1].strip()), len(lines))
    return inspect.cleandoc("\n" + "\n".join(lines[start:end])).splitlines()
