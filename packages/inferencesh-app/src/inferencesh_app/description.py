"""What an app offers, as records that need neither the app nor pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionDescription:
    """One function of an app. An empty schema allows anything."""

    name: str
    description: str
    input_schema: JsonSchema
    output_schema: JsonSchema


@dataclass(frozen=True, slots=True)
class Description:
    """All functions of an app by name, in the order of definition; `setup_schema` None: no setup values."""

    functions: Mapping[str, FunctionDescription]
    default_function: str
    setup_schema: JsonSchema | None

    def to_json(self) -> dict[str, Any]:
        """The description as it stands in a `loaded` message."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Description:
        """The description from a `loaded` message."""
        functions = {name: FunctionDescription(**each) for name, each in data["functions"].items()}
        return cls(functions, data["default_function"], data["setup_schema"])
