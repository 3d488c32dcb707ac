"""An app's Python requirements: installed into folders beside the engine's state, shared by equal lists.

What the engine's own interpreter already satisfies needs no layer. inferencesh itself is never installed:
the engine brings it, and another one would take its place in the worker. A layer for another interpreter has
what inferencesh needs installed too, and leads to the engine's own copy of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..child_environment import installer_environment
from .kernels import OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .kernels import Python

_OURS = "inferencesh"
_WORKERS_NEED = ("inferencesh-core", "inferencesh-app")
_OUR_PACKAGES = ("inferencesh", "inferencesh_core", "inferencesh_app")


class LayerError(RuntimeError):
    """An app's requirements cannot be installed."""


class Layers:
    """The installed layers under a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: dict[str, asyncio.Lock] = {}

    def needed(self, app_folder: Path) -> bool:
        """Whether the engine's interpreter lacks any of the app's requirements."""
        return not all(map(_is_satisfied, _requirement_lines(app_folder / "requirements.txt")))

    async def prepare(
        self, app_folder: Path, log: Callable[[str], None], python: Python = OWN
    ) -> Path | None:
        """The folder with the app's requirements, installed now if need be; None when it needs none.

        Args:
            app_folder: Its `requirements.txt` says what is needed.
            log: Hears the installer's output, line by line.
            python: The interpreter they are for.

        Raises:
            LayerError: Installing failed.
        """
        lines = list(_requirement_lines(app_folder / "requirements.txt"))
        if all(_is_satisfied(line) for line in lines):
            return None
        if python != OWN:
            lines = [*_needed_by_ours(), *lines]
        told = [sys.version, sys.prefix, *((python.executable, python.version) if python != OWN else ())]
        digest = hashlib.sha256("\n".join([*told, *lines]).encode()).hexdigest()[:16]
        layer = self._root / digest
        async with self._locks.setdefault(digest, asyncio.Lock()):
            if not layer.is_dir():
                await self._install(lines, app_folder, layer, log, python)
        return layer

    async def _install(
        self, lines: list[str], app_folder: Path, layer: Path, log: Callable[[str], None], python: Python
    ) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(dir=self._root, prefix="installing-"))
        try:
            listed = workshop / "requirements.txt"
            listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
            made = workshop / "layer"
            command = [*_installer(python), "--target", str(made), "-r", str(listed)]
            code = await _run(command, app_folder, log)
            if code != 0:
                raise LayerError(f"requirements.txt of {app_folder} cannot be installed: see the build log")
            if python != OWN:
                _link_ours(made)
            _move_into_place(made, layer)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)


def _move_into_place(made: Path, layer: Path) -> None:
    try:
        made.rename(layer)
    except OSError:
        # Another engine with the same state folder was faster; its layer has the same content.
        if not layer.is_dir():
            raise


async def _run(command: list[str], folder: Path, log: Callable[[str], None]) -> int:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=installer_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        while chunk := await process.stdout.read(65536):  # type: ignore[union-attr]  # we asked for a pipe
            log(chunk.decode(errors="replace"))
        return await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise


def _installer(python: Python) -> list[str]:
    from importlib.util import find_spec  # noqa: PLC0415  # only the first start of such an app needs it

    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", python.executable]
    if find_spec("pip") is not None:
        # Isolated: the app's folder is the working directory, and may have a `types.py`.
        other = ["--python", python.executable] if python != OWN else []
        return [sys.executable, "-I", "-m", "pip", *other, "install", "--disable-pip-version-check"]
    raise LayerError("an app has requirements, and neither uv nor pip is there to install them; install one")


def _requirement_lines(path: Path) -> Iterator[str]:
    """The lines of a requirements file that say something, those of files it includes among them."""
    if not path.is_file():
        return
    for raw in path.read_text(encoding="utf-8", errors="replace").splitlines():
        line = raw.split(" #")[0].strip()
        included = line.removeprefix("--requirement").removeprefix("-r")
        if included != line:
            yield from _requirement_lines(path.parent / included.strip(" ="))
        elif line and not line.startswith("#") and not _is_ours(line):
            yield line


def _needed_by_ours() -> list[str]:
    """What the packages of inferencesh that workers import need from others."""
    from importlib.metadata import requires  # noqa: PLC0415  # few apps name another interpreter

    lines = [line for name in _WORKERS_NEED for line in requires(name) or ()]
    return sorted(line for line in lines if not _is_ours(line) and "extra ==" not in line)


def _link_ours(layer: Path) -> None:
    """Lead to the engine's copy: pure Python, which any interpreter can import."""
    from importlib.util import find_spec  # noqa: PLC0415  # as above

    for name in _OUR_PACKAGES:
        spec = find_spec(name)
        for place in (spec and spec.submodule_search_locations) or ():
            (layer / name).symlink_to(place, target_is_directory=True)


def _is_ours(line: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # not on every start

    try:
        name = Requirement(line).name.replace("_", "-").lower()
    except InvalidRequirement:
        return False
    return name == _OURS or name.startswith(f"{_OURS}-")


def _is_satisfied(line: str) -> bool:
    """Whether the engine's interpreter has it; what is no plain requirement is the installer's business."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # not on every start

    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # not on every start

    try:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        plain = wanted.url is None and not wanted.extras
        return plain and wanted.specifier.contains(version(wanted.name), prereleases=True)
    except (InvalidRequirement, PackageNotFoundError):
        return False
