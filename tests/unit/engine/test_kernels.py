"""An app that needs something installed gets the Python its manifest names, where the machine has it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import zipfile
from importlib.util import find_spec

import pytest

from inferencesh_app.manifest import Kernel
from inferencesh_engine.catalog import Catalog
from inferencesh_engine.catalog.kernels import OWN, Kernels
from inferencesh_engine.config import EngineConfig

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="commands are shell scripts here"),
    pytest.mark.skipif(not (shutil.which("uv") or find_spec("pip")), reason="installs something"),
]

OTHER = "3.99"
NEEDED = ("pydantic", "pyyaml", "requests", "pluggy")


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A folder of commands, first on the path; installers find nothing but what stands in `wheels`."""
    folder, wheels = tmp_path / "bin", tmp_path / "wheels"
    folder.mkdir()
    wheels.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


def command(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def stand_in(folder):
    """Says it is another Python, and works as this one."""
    path = folder / f"python{OTHER}"
    says = f'case "$3" in *version_info*) echo {path}; echo {OTHER}; exit;; esac'
    return command(folder, path.name, f'{says}\nexec {sys.executable} "$@"')


def wheel(folder, name, module):
    path, info = folder / f"{name}-99.0-py3-none-any.whl", f"{name}-99.0.dist-info"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(f"{module}.py", "HELLO = 1\n")
        content.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n")
        content.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        content.writestr(f"{info}/RECORD", "")
    return path


def prepared(tmp_path, kernel, requirements="greeting\n"):
    folder = tmp_path / "apps" / "tool"
    folder.mkdir(parents=True)
    (folder / "inf.yml").write_text(f"name: tool\nkernel: {kernel}\n")
    (folder / "requirements.txt").write_text(requirements)
    catalog, logs = Catalog(EngineConfig(apps_dir=tmp_path / "apps")), []
    found = asyncio.run(catalog.prepare(catalog.apps()[0], logs.append))
    return found, found.environment.get("PYTHONPATH", "").split(os.pathsep)[0], "".join(logs)


def test_the_layer_is_made_for_the_python_that_is_named_and_leads_to_the_engines_own_packages(
    tmp_path, bin_folder
):
    python = stand_in(bin_folder)
    for name in (*NEEDED, "greeting"):
        wheel(tmp_path / "wheels", name, name)
    found, layer, _ = prepared(tmp_path, f"python-{OTHER}")
    assert found.interpreter == python
    assert {"greeting.py", "pydantic.py", "inferencesh_app", "inferencesh_core"} <= set(os.listdir(layer))
    assert os.path.isfile(os.path.join(layer, "inferencesh_app", "worker", "__main__.py"))


def test_where_that_cannot_be_installed_the_engines_python_serves_and_the_log_says_so(tmp_path, bin_folder):
    stand_in(bin_folder)
    wheel(tmp_path / "wheels", "greeting", "greeting")
    found, layer, log = prepared(tmp_path, f"python-{OTHER}")
    assert found.interpreter is None
    assert f"trying again for the engine's Python {OWN.version}" in log
    assert "greeting.py" in os.listdir(layer)


@pytest.mark.parametrize("kernel", [f"python-{OTHER}", "python-3.9", "2.7"])
def test_where_the_python_is_absent_or_too_old_the_engines_serves_and_the_log_says_so(
    tmp_path, bin_folder, kernel
):
    command(bin_folder, "python3.9", "echo /usr/bin/python3.9; echo 3.9")
    wheel(tmp_path / "wheels", "greeting", "greeting")
    found, layer, log = prepared(tmp_path, kernel)
    assert found.interpreter is None
    assert f"{kernel.removeprefix('python-')} is not here, or too old" in log
    assert "greeting.py" in os.listdir(layer)


def test_an_app_that_needs_nothing_installed_runs_in_the_engines_python(tmp_path, bin_folder):
    stand_in(bin_folder)
    found, _, log = prepared(tmp_path, f"python-{OTHER}", "pydantic\n")
    assert (found.interpreter, log) == (None, "")


def test_a_command_that_only_complains_is_no_python(bin_folder):
    command(bin_folder, f"python{OTHER}", "echo use another; exit 127")
    assert asyncio.run(Kernels().find(Kernel(version=OTHER))) is None


@pytest.mark.parametrize("version", [None, "3", OWN.version, f"{OWN.version}.1"])
def test_the_engines_own_version_is_the_engines_own_python(version):
    assert asyncio.run(Kernels().find(Kernel(version=version))) == OWN
