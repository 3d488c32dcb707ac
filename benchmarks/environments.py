"""The interpreters that are measured: ours and each peer in a virtual environment, made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

HOME = Path(os.environ.get("INFERENCESH_BENCH_HOME") or Path.home() / ".cache" / "inferencesh-benchmarks")
PACKAGES = Path(__file__).parent.parent / "packages"

# Ours and the published client stand on the same HTTP libraries, so that only the clients differ.
SHARED = ["aiohttp==3.14.5", "requests==2.32.5", "urllib3==2.5.0", "certifi==2025.8.3"]
PEERS = {
    "published": ["inferencesh[async]==0.7.8", *SHARED],
    "litserve": ["litserve==0.2.19"],
    "bentoml": ["bentoml==1.4.39"],
    "cog": ["cog==0.23.1"],
}
OURS = {"ours": SHARED, "ours+orjson": [*SHARED, "orjson"]}


@cache  # looked at once: sources edited while benchmarks run must not change what is measured
def interpreter(name: str) -> Path:
    """The Python of the environment `name`, made or renewed first when what belongs in it has changed.

    "this" is the interpreter that runs the benchmarks.
    """
    if name == "this":
        return Path(sys.executable)
    folder = HOME / "environments" / name
    folder.mkdir(parents=True, exist_ok=True)
    python, stamp, wanted = folder / "bin" / "python", folder.with_suffix(".installed"), _wanted(name)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the benchmarks may be at it
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install(folder, python, _requirements(name))
            stamp.write_text(wanted)
    return python


def _install(folder: Path, python: Path, requirements: list[str]) -> None:
    print(f"installing {folder.name} into {folder}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", *requirements], check=True)


def _requirements(name: str) -> list[str]:
    if name in PEERS:
        return PEERS[name]
    return [*(str(project.parent) for project in sorted(PACKAGES.glob("*/pyproject.toml"))), *OURS[name]]


def _wanted(name: str) -> str:
    """What the environment should hold: the interpreter, the requirements and, for ours, the very sources."""
    digest = hashlib.sha256(
        repr((sys.version, os.path.realpath(sys.executable), _requirements(name))).encode()
    )
    if name in OURS:
        for path in sorted(PACKAGES.glob("*/**/*")):
            if path.suffix in {".py", ".toml", ".sql"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()
