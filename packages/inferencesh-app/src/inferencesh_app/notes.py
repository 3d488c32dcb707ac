"""What a manifest says about the functions of its app: all of it that a worker needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Notes:
    """Descriptions of functions by name, for those that have one; `default_function` None means `run`."""

    descriptions: Mapping[str, str] = field(default_factory=dict)
    default_function: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The notes as they stand in a `load` message."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Notes:
        """The notes from a `load` message."""
        return cls(data["descriptions"], data["default_function"])
