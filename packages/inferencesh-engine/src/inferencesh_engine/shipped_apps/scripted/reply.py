"""One answer of the app, before it is streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolUse:
    """A call of a tool; arguments that are text are sent as they are, be they JSON or not."""

    tool: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True)
class Reply:
    """What is answered.

    Attributes:
        chunks: In how many pieces the text comes.
        pause_seconds: The time before each piece.
        failure: The error with which the answer ends, after its text; None when it ends well.
    """

    text: str = ""
    reasoning: str | None = None
    calls: tuple[ToolUse, ...] = ()
    chunks: int = 4
    pause_seconds: float = 0.0
    failure: str | None = None
