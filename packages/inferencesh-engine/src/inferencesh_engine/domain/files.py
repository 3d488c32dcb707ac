"""What the engine knows about a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file that was announced, and perhaps stored.

    Attributes:
        size: Bytes stored; before that the declared size, None when it was not declared.
        digest: SHA-256 of the content, hexadecimal; None until stored.
        created_at: Unix time in seconds.
        public: Whether the caller asked for a public file.
        state: `pending` until the content is complete on disk, then `stored`.
        category: The caller's own word for the kind of file; may be empty.
        path: Where the caller would like it stored; may be empty.
        task_id: The task that made it; empty for an upload.
    """

    id: str
    filename: str
    content_type: str
    created_at: float
    size: int | None = None
    digest: str | None = None
    public: bool = False
    state: Literal["pending", "stored"] = "pending"
    category: str = ""
    path: str = ""
    task_id: str = ""
