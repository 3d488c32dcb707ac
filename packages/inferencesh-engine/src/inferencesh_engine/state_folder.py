"""The folder of an engine's state: the user's alone, because tokens and other people's files lie in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .domain.problems import EngineStartError

if TYPE_CHECKING:
    from pathlib import Path

    from .config import EngineConfig

_OURS = ("engine.lock", "engine.db")
_OF_OTHERS = 0o077


def make_state_folder(config: EngineConfig) -> None:
    """Make the folder, or take one that may be ours; raises EngineStartError saying why it cannot be."""
    path = config.state_path
    if not config.apps_dir.is_dir():
        raise EngineStartError(f"{config.apps_dir} is not a folder; name the folder that holds your apps")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & _OF_OTHERS:
            _close(path)
    except OSError as error:
        raise EngineStartError(f"the state folder {path} cannot be made: {error.strerror}") from error


def _close(path: Path) -> None:
    """Keep others out, unless the folder is used for something else already: `--state /tmp` is a mistake."""
    names = {entry.name for entry in path.iterdir()}
    if names and names.isdisjoint(_OURS):
        raise EngineStartError(
            f"the state folder {path} is open to other users and holds other things; name a folder of its "
            f"own, like {path / 'engine'}, or make this one yours alone: chmod 700 {path}"
        )
    path.chmod(0o700)
