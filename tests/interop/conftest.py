"""The published client, installed in an environment of its own, and an engine for it to talk to."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

PUBLISHED = "inferencesh[async]==0.7.8"
APPS = Path(__file__).parents[2] / "examples" / "apps"


@pytest.fixture(scope="session")
def published_python(tmp_path_factory, worker_id):
    """The interpreter that has the published client; the workers of a test run share one."""
    root = tmp_path_factory.getbasetemp()
    shared = root if worker_id == "master" else root.parent
    environment = shared / "published"
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with FileLock(shared / "published.lock"):
        if not (environment / "complete").exists():
            uv = [sys.executable, "-m", "uv", "-q"]
            subprocess.run([*uv, "venv", "--python", sys.executable, environment], check=True)
            subprocess.run([*uv, "pip", "install", "-p", python, PUBLISHED], check=True)
            (environment / "complete").touch()
    return python


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    engine = BackgroundEngine(EngineConfig(apps_dir=APPS, state_dir=state))
    yield engine
    engine.stop()


@pytest.fixture
def published(published_python, run_script):
    """Run a script on the published client, `client` being one that talks to the engine; gives its output."""
    return partial(run_script, published_python)


@pytest.fixture
def present(run_script):
    """Run a script written for the published client on the one of this repository."""
    return partial(run_script, sys.executable)


@pytest.fixture
def run_script(engine, tmp_path):
    def run(python: str | Path, script: str, *arguments: object) -> str:
        head = (
            "import sys\nfrom inferencesh import *\n"
            f"client = inference(api_key={engine.token!r}, base_url={engine.base_url!r})\n"
        )
        done = subprocess.run(
            [python, "-c", head + script, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=230,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
