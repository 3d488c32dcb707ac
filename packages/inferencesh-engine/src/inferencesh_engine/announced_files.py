"""What callers say about a file before they upload it."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferencesh_core import content_types

from .domain.files import FileRecord
from .domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .domain.idempotency import Idempotency

MAX_FILENAME_CHARS = 200
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?", re.ASCII)
_UNSAFE_IN_FILENAMES = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def announced(wanted: Mapping[str, Any], category: str) -> FileRecord:
    """A pending file as the caller describes it; a 422 problem names what is wrong with the description."""
    filename = _clean_filename(_text(wanted, "filename") or Path(_text(wanted, "path")).name)
    content_type = _text(wanted, "content_type")
    if content_type and not _CONTENT_TYPE.fullmatch(content_type):
        raise Problem(
            422, "invalid_request", f"content_type {content_type!r} is not a media type: use type/subtype"
        )
    return FileRecord(
        id=secrets.token_hex(13),
        filename=filename,
        content_type=content_type or content_types.by_name(filename) or content_types.DEFAULT,
        created_at=time.time(),
        size=_size(wanted.get("size")),
        public=bool(wanted.get("public")),
        category=category,
        path=_text(wanted, "path"),
    )


def id_of(once: Idempotency, position: int) -> str:
    """One key and position, one id: repeating a request finds the files it made."""
    return hashlib.sha256(f"{once.scope}\n{once.key}\n{position}".encode()).hexdigest()[:26]


def is_same_wish(known: FileRecord, wanted: FileRecord) -> bool:
    """Whether a file known under this id was announced with the same words."""
    fields = ("filename", "content_type", "category", "path", "public")
    same_size = known.state == "stored" or known.size == wanted.size
    return same_size and all(getattr(known, name) == getattr(wanted, name) for name in fields)


def _text(wanted: Mapping[str, Any], name: str) -> str:
    value = wanted.get(name)
    if value is not None and not isinstance(value, str):
        raise Problem(422, "invalid_request", f"{name} of a file must be a text or null, not {value!r}")
    return value or ""


def _size(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise Problem(422, "invalid_request", f"size of a file must be a number of bytes, not {value!r}")
    return int(value)


def _clean_filename(filename: str) -> str:
    """The last part of the name, without control characters; `file` when nothing is left."""
    name = _UNSAFE_IN_FILENAMES.sub("", filename).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name[-MAX_FILENAME_CHARS:] if name.strip(". ") else "file"
