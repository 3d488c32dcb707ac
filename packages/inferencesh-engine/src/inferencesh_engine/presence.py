"""How other programs of the same user find the engine that serves a folder: files in its state folder."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .domain.problems import EngineStartError
from .private_files import keep_private, write_private
from .token_rule import token_fault

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_FILE = "token"  # noqa: S105 - a file's name
PRESENCE_FILE = "engine.json"


@dataclass(frozen=True)
class Presence:
    """A serving engine.

    Attributes:
        url: Where its API answers.
        instance: What its `GET /health` says it is; anything else at this address is a stranger.
    """

    url: str
    pid: int
    instance: str

    def announce(self, state_dir: Path) -> None:
        """Let others find the engine."""
        write_private(state_dir / PRESENCE_FILE, json.dumps(asdict(self)).encode())

    def withdraw(self, state_dir: Path) -> None:
        """Take the announcement back, unless another engine has made one since."""
        if find_presence(state_dir) == self:
            (state_dir / PRESENCE_FILE).unlink(missing_ok=True)


def find_presence(state_dir: Path) -> Presence | None:
    """The engine announced last, which may be gone; None when there is none."""
    try:
        return Presence(**json.loads((state_dir / PRESENCE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def kept_token(state_dir: Path, given: str | None) -> str:
    """The given token, else the one kept, else a new one; in any case kept for the engine's user to read.

    Raises EngineStartError when it is one that no client could send.
    """
    path = state_dir / TOKEN_FILE
    if given and (fault := token_fault(given)):
        raise EngineStartError(fault)
    fresh = given or f"inf_{secrets.token_hex(24)}"
    kept = keep_private(path, fresh.encode()).decode(errors="replace").strip()
    if kept and (given is None or kept == given):
        if fault := token_fault(kept):
            raise EngineStartError(f"{path}: {fault}, or remove the file for a new one")
        return kept
    write_private(path, fresh.encode())
    return fresh
