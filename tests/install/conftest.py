"""Wheels of every package, built from their sdists, and clean environments that hold one of them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, timeout=200, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def uv(*arguments):
    return run(sys.executable, "-m", "uv", *arguments, "-q")


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own."""

    python: Path

    def run(self, code, *arguments, **variables):
        """Run a program as a user would; gives what it prints."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFERENCE", "PYTHON"))}
        return run(self.python, "-c", code, *arguments, env={**inherited, **variables}).strip()

    def distributions(self):
        """The distributions in it, each with the names of those it requires without any extra."""
        code = (
            "import importlib.metadata as m, json, re;"
            "name = lambda text: re.match(r'[\\w.-]+', text)[0].lower().replace('_', '-');"
            "print(json.dumps({name(d.name): sorted({name(r) for r in d.requires or () if 'extra' not in r})"
            " for d in m.distributions()}))"
        )
        return json.loads(self.run(code))


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A folder that all workers of this test run have in common."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "install"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def built(shared):
    """The folder of sdists and wheels; each wheel is made from its sdist."""

    def build(folder):
        # Hatchling is here already, so no environment need be made for each build.
        options = ["--no-build-isolation", "--python", sys.executable, "--out-dir", folder]
        for package in PACKAGES:
            uv("build", ROOT / "packages" / package, *options)
        # A registry may have packages of these names; ours are meant.
        ours = [f"{package} @ {wheel_of(folder, package).as_uri()}" for package in PACKAGES]
        (folder / "ours.txt").write_text("\n".join(ours))

    return once(shared / "built", build)


@pytest.fixture(scope="session")
def environment_with(shared, built):
    """Give the clean environment into which these requirements, and nothing else, were installed."""

    def make(*requirements, no_dependencies=False):
        name = "-".join(Path(requirement).name for requirement in requirements)

        def create(folder):
            uv("venv", folder / "env", "--python", sys.executable)
            options = ["--no-deps"] if no_dependencies else []
            ours = ["--constraints", built / "ours.txt"]
            uv("pip", "install", "-p", python_of(folder), *options, *ours, *requirements)

        return Environment(python_of(once(shared / f"env-{name}", create)))

    return make


def wheel_of(folder, package):
    (path,) = folder.glob(f"{package.replace('-', '_')}-*.whl")
    return path


def python_of(folder):
    return folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def once(folder, fill):
    """Let one of the workers fill a folder."""
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            folder.mkdir()
            fill(folder)
            (folder / "complete").touch()
    return folder
