"""A state folder that is not where it usually is, and how programs that look in the usual place find it."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .private_files import write_private

if TYPE_CHECKING:
    from .config import EngineConfig

SIGNPOST_FILE = "elsewhere.json"

logger = logging.getLogger("inferencesh.engine")


class Signpost:
    """A file in the usual state folder that names the one in use; it says no more, the token least of all."""

    def __init__(self, config: EngineConfig) -> None:
        self._usual = config.usual_state_path
        self._state = config.state_path.absolute()

    def put_up(self) -> None:
        """Lead others to the state folder, where that is needed and the served folder can be written."""
        if self._is_needless():
            return
        try:
            write_private(self._usual / SIGNPOST_FILE, json.dumps({"state": str(self._state)}).encode())
        except OSError as error:
            why = f"{self._usual} cannot be written: {error.strerror}"
            logger.warning(
                "programs that use local:%s will not find this engine: %s", self._usual.parent, why
            )

    def take_down(self) -> None:
        """Lead nobody here any more, unless another engine leads them elsewhere by now."""
        if self._is_needless() or state_elsewhere(self._usual) != self._state:
            return
        with suppress(OSError):
            (self._usual / SIGNPOST_FILE).unlink()
            self._usual.rmdir()

    def _is_needless(self) -> bool:
        return self._state == self._usual.absolute()


def state_elsewhere(usual: Path) -> Path | None:
    """The state folder named last in the usual one; its engine may be gone. None when none is named."""
    try:
        return Path(json.loads((usual / SIGNPOST_FILE).read_text())["state"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
