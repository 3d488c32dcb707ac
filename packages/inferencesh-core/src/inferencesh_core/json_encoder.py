"""JSON of many small values, as the standard library writes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def encoder(*, separators: tuple[str, str] = (", ", ": "), allow_nan: bool = True) -> Callable[[Any], str]:
    """A function that gives the JSON of a value as `json.dumps` does with these options.

    `json.dumps` and `JSONEncoder.encode` make their C encoder anew for every value, which takes longer than
    to encode a small one. A value that contains itself is a RecursionError here.
    """
    whole = json.JSONEncoder(separators=separators, allow_nan=allow_nan)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    text, (between, after_key) = json.encoder.encode_basestring_ascii, separators
    parts = make(None, whole.default, text, None, after_key, between, False, False, allow_nan)

    def encode(value: Any) -> str:
        return "".join(parts(value, 0))

    return encode
