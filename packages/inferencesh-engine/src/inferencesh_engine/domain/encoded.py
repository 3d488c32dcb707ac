"""JSON that is encoded once and decoded only when somebody looks."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from inferencesh_core.json_encoder import encoder

_encode = encoder(separators=(",", ":"), allow_nan=False)


class Encoded:
    """A JSON value that knows its text: the store, the stream and the worker need one or the other.

    Attributes:
        text: Compact JSON.
    """

    text: str

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def of(cls, value: Any) -> Encoded:
        """The value and its text; raises ValueError for NaN, objects and endless depth."""
        if value is None:
            return cls("null")
        try:
            encoded = cls(_encode(value))
        except TypeError as error:
            raise ValueError(str(error)) from error
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        encoded.__dict__["value"] = value
        return encoded

    @cached_property
    def value(self) -> Any:
        """The value; shared, so never to be changed."""
        return json.loads(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoded) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Encoded({self.text[:80]})"


NULL = Encoded("null")
