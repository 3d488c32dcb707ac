"""JSON in and out of bytes: orjson where it is installed, the standard library otherwise.

`INFERENCESH_JSON=stdlib` keeps orjson out. Both give the same values, with one exception orjson does not tell
about: whole numbers beyond 64 bits are read as floats by it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


_WORTH_SEARCHING = 8 * 1024
"""Bytes; in less the search for a long string costs as much as it spares."""

Json: TypeAlias = "bytes | bytearray | str"


class Codec(NamedTuple):
    """Functions between JSON and values; see `loads` and `dumps`.

    Attributes:
        loads: Reads a value.
        loads_within: Reads the value between two places of a buffer, without a copy where it is mostly one
            long string.
        dumps: Writes a value.
    """

    loads: Callable[[Json], Any]
    loads_within: Callable[[bytes | bytearray, int, int], Any]
    dumps: Callable[[Any], bytes]


@cache
def codec() -> Codec:
    """The codec of this process, chosen at the first use; hot loops hold on to its functions."""
    plain = _stdlib_codec()
    if os.environ.get("INFERENCESH_JSON") == "stdlib":
        return plain
    try:
        return _orjson_codec(plain)
    except ImportError:
        return plain


def loads(data: Json) -> Any:
    """The value that `data` (UTF-8 if bytes) spells; `NaN` and `Infinity` are read too.

    Raises:
        ValueError: It is not JSON.
    """
    return codec().loads(data)


def dumps(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON on one line; NaN and infinities, which JSON lacks, become `null`.

    Raises:
        TypeError: Something in it has no JSON form.
        ValueError: It contains itself.
    """
    return codec().dumps(value)


def _stdlib_codec() -> Codec:
    import json  # noqa: PLC0415 - not needed to import the client

    scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # raw_decode without a call around it
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

    def scan_all(data: Json) -> Any:
        # json.loads guesses encodings and looks for white space first, which on a small event
        # takes as long as the parsing.
        text = data if isinstance(data, str) else data.decode()
        value, end = scan(text, 0)
        if text[end:].strip(" \t\r\n"):
            raise ValueError("more follows the value")
        return value

    def stdlib_dumps(value: Any) -> bytes:
        try:
            return encode(value).encode()
        except ValueError:
            return encode(json.loads(json.dumps(value), parse_constant=lambda _name: None)).encode()

    return Codec(*_judged(scan_all, json.loads), stdlib_dumps)


def _orjson_codec(plain: Codec) -> Codec:
    import orjson  # noqa: PLC0415 - optional

    # What the standard library refuses is refused here as well.
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

    def orjson_dumps(value: Any) -> bytes:
        try:
            return orjson.dumps(value, option=options)
        except TypeError:
            return plain.dumps(value)

    return Codec(*_judged(orjson.loads, plain.loads), orjson_dumps)


def _judged(
    quick: Callable[[Json], Any], judge: Callable[[Json], Any]
) -> tuple[Callable[[Json], Any], Callable[[bytes | bytearray, int, int], Any]]:
    """Give parsers that read with ``quick`` and ask ``judge`` about everything unusual."""

    def loads(data: Json) -> Any:
        if len(data) >= _WORTH_SEARCHING and not isinstance(data, str):
            return loads_within(data, 0, len(data))
        try:
            return quick(data)
        except (ValueError, StopIteration):
            return judge(data)

    def loads_within(data: bytes | bytearray, start: int, end: int) -> Any:
        from . import long_strings  # noqa: PLC0415 - most of what is read is short

        try:
            return long_strings.read(data, quick, start, end)
        except (ValueError, StopIteration):
            return judge(data[start:end])

    return loads, loads_within
