"""Data URIs (RFC 2397): parameters, percent-encoding, and Base64 in every spelling seen in the wild."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .errors import InferenceError

_NAME = r"[\w!#$&^.+*%'`|~-]+"
_HEADER = re.compile(
    rf"data:(?P<type>{_NAME}/{_NAME})?"
    rf'(?P<parameters>(?:;\s*{_NAME}=(?:"(?:[^"\\]|\\.)*"|[^;,"]*))*)'
    r"(?P<base64>;\s*base64)?,",
    re.IGNORECASE | re.ASCII,
)
_PARAMETER = re.compile(rf';\s*({_NAME})=("(?:[^"\\]|\\.)*"|[^;,"]*)', re.ASCII)
_ATTEMPT = re.compile(rf"data:(?:{_NAME}/{_NAME}(?:[;,]|\Z)|;\s*base64\b|,)", re.IGNORECASE | re.ASCII)
_STANDARD_ALPHABET = str.maketrans("-_", "+/")
_SHOWN_CHARACTERS = 48


class DataURIError(InferenceError, ValueError):
    """A value meant as a data URI that is not one; the text quotes its start and says what is wrong."""


class DataURI(NamedTuple):
    """What a data URI says.

    Attributes:
        media_type: In lower case, without parameters; `text/plain` where the URI has none.
        parameters: Names in lower case, values decoded; `{"charset": "US-ASCII"}` where the URI has no type.
        data: The decoded bytes.
    """

    media_type: str
    parameters: dict[str, str]
    data: bytes


def means_data_uri(text: str) -> bool:
    """Whether `text` is a data URI, or a failed attempt at one: prose such as `data: 5 rows` is neither."""
    return text[:5].lower() == "data:" and bool(_ATTEMPT.match(text) or _HEADER.match(text))


def parse_data_uri(uri: str) -> DataURI:
    """Read a data URI.

    Base64 may be of the standard or the URL-safe alphabet, with or without padding, percent-encoded, and
    broken by white space.

    Raises:
        DataURIError: the value is malformed.
    """
    header = _HEADER.match(uri)
    if header is None:
        raise _malformed(uri, "expected data:[type/subtype][;name=value][;base64],content")
    payload = uri[header.end() :]
    data = _base64(payload, uri) if header["base64"] else unquote_to_bytes(payload)
    parameters = _parameters(header["parameters"])
    if not header["type"] and not parameters:
        parameters = {"charset": "US-ASCII"}
    return DataURI((header["type"] or "text/plain").lower(), parameters, data)


def _parameters(text: str) -> dict[str, str]:
    return {name.lower(): _parameter_value(value) for name, value in _PARAMETER.findall(text)}


def _parameter_value(text: str) -> str:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _base64(payload: str, uri: str) -> bytes:
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    compact = "".join(payload.split()).translate(_STANDARD_ALPHABET)
    digits = compact.rstrip("=")
    padding = len(compact) - len(digits)
    if len(digits) % 4 == 1 or padding > 2 or (padding and len(compact) % 4):
        raise _malformed(uri, "its Base64 content is cut short or wrongly padded")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(uri, "its content holds characters that are not Base64") from None


def _malformed(uri: str, reason: str) -> DataURIError:
    start = uri if len(uri) <= _SHOWN_CHARACTERS else f"{uri[:_SHOWN_CHARACTERS]}..."
    return DataURIError(f"malformed data URI {start!r}: {reason}")
