"""YAML files of the served folder, read strictly: what is not known there is an error that names the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_app.yaml_document import MAX_DOCUMENT_BYTES
from inferencesh_core.refs import Ref

if TYPE_CHECKING:
    from pathlib import Path

    from inferencesh_app.yaml_document import Spot, YamlProblem


def content_of(path: Path) -> bytes:
    """What a file holds, as much of it as `read_yaml` needs to refuse what is too large; raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_DOCUMENT_BYTES + 1)


def place_of(path: Path, problem: YamlProblem) -> str:
    """Where the problem is, for people."""
    return f"{path}, line {problem.line}" if problem.line else str(path)


def check_names(spot: Spot, *known: str) -> None:
    """Raise YamlProblem for a name in a mapping that is none of the known ones, or stands there twice."""
    seen = set()
    for name, value in spot.members():
        if name not in known:
            import difflib  # noqa: PLC0415 - a mistake is worth its import

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise value.problem(f"{name!r} is not known here; {hint}")
        if name in seen:
            raise value.problem(f"{name!r} stands here twice")
        seen.add(name)


def required_text(spot: Spot, name: str, example: str) -> str:
    """The text of a member that must be there."""
    text = spot[name].text()
    if not text:
        raise spot.problem(f"{name} is missing; add a line like '{name}: {example}'")
    return text


def texts(spot: Spot) -> tuple[str, ...]:
    """The items of a list of texts."""
    return tuple(item.text() for item in spot.items())


def reference(text: str, spot: Spot) -> Ref:
    """The text as a reference; raises the YamlProblem of one that is none."""
    try:
        return Ref.parse(text)
    except ValueError as error:
        raise spot.problem(str(error)) from None
