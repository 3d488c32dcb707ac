"""A call of a client tool, as handlers' owners see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCallInfo:
    """A tool the model asks the caller's own program to run.

    Args:
        id: What the result is posted under; not the id the model gave its call.
        name: The tool's name.
        args: What the model passes, decoded; not checked against the tool's schema.
    """

    id: str
    name: str
    args: dict[str, Any]
