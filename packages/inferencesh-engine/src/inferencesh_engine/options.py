"""What may follow the options of `serve`: each gives the value of a text, or says what is expected."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

from .token_rule import token_fault

MAX_PORT = 65535

_NOT_IN_NAMES = re.compile(r"[/*@?#\s]")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/*@?#\s]+/?", re.IGNORECASE)


def port(text: str) -> int:
    """A port to listen on."""
    if not (text.isdecimal() and int(text) <= MAX_PORT):
        raise ArgumentTypeError(
            f"{text!r} is no port: use a number from 1 to {MAX_PORT}, or 0 for a free one"
        )
    return int(text)


def token(text: str) -> str:
    """A token that clients can send."""
    fault = token_fault(text)
    if fault is not None:
        raise ArgumentTypeError(fault)
    return text


def host_name(text: str) -> str:
    """A name as it stands in the header `Host`."""
    if not text or _NOT_IN_NAMES.search(text):
        raise ArgumentTypeError(
            f"{text!r} is no name: write it as it stands between // and the path of an address, like "
            "box.local or box.local:8000; there are no patterns, so repeat the option for several"
        )
    return text


def origin(text: str) -> str:
    """An origin as browsers name it."""
    if not _ORIGIN.fullmatch(text):
        raise ArgumentTypeError(
            f"{text!r} is no origin: write scheme, host and port, like http://localhost:3000; there are no "
            "patterns, so repeat the option for several"
        )
    return text
