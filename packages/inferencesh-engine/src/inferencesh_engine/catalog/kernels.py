"""The Pythons of this machine, for apps whose manifest names another one than the engine's own."""

from __future__ import annotations

import asyncio
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..child_environment import installer_environment

if TYPE_CHECKING:
    from inferencesh_app.manifest import Kernel

OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_OLDEST_MINOR = 10  # what our own packages require
_ASK = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True)
class Python:
    """An interpreter; `version` is its first two numbers."""

    executable: str
    version: str


OWN = Python(sys.executable, OWN_VERSION)


class Kernels:
    """Finds interpreters, each version once."""

    def __init__(self) -> None:
        self._found: dict[str, Python | None] = {}

    async def find(self, kernel: Kernel) -> Python | None:
        """The interpreter a manifest names, the engine's own where it names none.

        None when it is not here, or older than inferencesh can be imported by.
        """
        version = ".".join((kernel.version or OWN_VERSION).split(".")[:2])
        if version in ("3", OWN_VERSION):
            return OWN
        if not _is_recent(version):
            return None
        if version not in self._found:
            self._found[version] = await _found(version)
        return self._found[version]


def _is_recent(version: str) -> bool:
    minor = version.removeprefix("3.")
    return minor != version and minor.isdecimal() and int(minor) >= _OLDEST_MINOR


async def _found(version: str) -> Python | None:
    """`python3.X` on the path, else one that uv manages."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None and (python := await _asked(on_path, version)) is not None:
        return python
    uv = shutil.which("uv")
    if uv is None:
        return None
    managed = await _output(uv, "python", "find", "--offline", "--python-preference", "only-managed", version)
    return await _asked(managed, version) if managed else None


async def _asked(command: str, version: str) -> Python | None:
    """The interpreter behind a command, if there is one: some commands only say which others there are."""
    executable, _, found = (await _output(command, "-I", "-c", _ASK)).partition("\n")
    return Python(executable, version) if found == version else None


async def _output(*command: str) -> str:
    """What a command prints; empty when it fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            env=installer_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    printed, _ = await process.communicate()
    return printed.decode(errors="replace").strip() if process.returncode == 0 else ""
