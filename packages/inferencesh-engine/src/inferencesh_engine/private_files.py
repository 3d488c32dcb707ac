"""Small files that only the engine's own user may read: keys, tokens, where an engine listens."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write the whole file at once, in place of what was there."""
    _written_beside(path, content).replace(path)


def keep_private(path: Path, content: bytes) -> bytes:
    """Write the file unless there is one; gives what is in it. Two who try at once agree."""
    fresh = _written_beside(path, content)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()


def _written_beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        # An empty key after a power failure would be one that everybody knows.
        os.fsync(file.fileno())
    return fresh
