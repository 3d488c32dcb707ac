"""What the API knows of a file, as `files.upload` gives it, and what of that a file in an input may have."""

from __future__ import annotations

from typing import Any

FILE_KEYS = ("uri", "path", "content_type", "size", "filename")


def is_file_record(value: Any) -> bool:
    """Whether a value is the API's record of a file: it has an `id` and a `uri`, whatever else is there."""
    return isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("uri"), str)


def file_of_record(record: dict[str, Any]) -> dict[str, Any]:
    """Give the members a file may have; `path` is not among them, for in a record it is the store's."""
    return {key: record[key] for key in FILE_KEYS if key in record and key != "path"}
