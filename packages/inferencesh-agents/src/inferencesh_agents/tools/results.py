"""What a handler gave, as the text the model is told."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

MAX_RESULT_BYTES = 1024 * 1024
"""How long a result may be, in UTF-8, unless the toolbox is told otherwise."""

_MAX_ERROR_CHARS = 2_000


class ResultError(ValueError):
    """What a handler gave cannot be told the model; the text says why."""


def result_text(result: Any, max_bytes: int = MAX_RESULT_BYTES) -> str:
    """Give the text of a result: a text as it is, anything else as JSON, so ``None`` is ``null``.

    Dataclasses and pydantic models become objects, sets lists, dates, paths, UUIDs and decimals texts.

    Raises:
        ResultError: It has no JSON form, or its text is longer than ``max_bytes`` in UTF-8.
    """
    text = result if isinstance(result, str) else _json(result)
    encoded = text.encode(errors="replace")
    if len(encoded) > max_bytes:
        raise ResultError(f"the result has {len(encoded)} bytes, and {max_bytes} are allowed: ask for less")
    return encoded.decode()


def error_text(error: Exception) -> str:
    """Give the text that tells of an error: JSON, its one key ``error`` naming the type and the message."""
    return failure_text(f"{type(error).__name__}: {error}".removesuffix(": "))


def failure_text(message: str) -> str:
    """Give the text that tells of a failure: JSON, its one key ``error`` the message."""
    return json.dumps({"error": message[:_MAX_ERROR_CHARS]})


def _json(result: Any) -> str:
    try:
        return json.dumps(result, default=_plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the result has no JSON form: {error}") from error


def _plain(value: Any) -> Any:
    """Give the nearest thing that JSON has; its parts come here by themselves."""
    if callable(dump := getattr(value, "model_dump", None)):
        return dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, AbstractSet):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, (timedelta, Decimal, PurePath, UUID)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not something JSON has")
