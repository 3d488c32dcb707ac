"""What a worker sees of the engine that started it, and what an app's folder may hold."""

from __future__ import annotations

import json
import os
import secrets as random
import sys

import pytest

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine
from serving import Api, write_apps

PROBE = """
import json, os
from pathlib import Path
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    pass
class AppOutput(BaseAppOutput):
    environment: dict[str, str]
    arguments: list[str]
    folder: str
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        arguments = Path("/proc/self/cmdline").read_text().split("\\0")
        return AppOutput(environment=dict(os.environ), arguments=arguments, folder=os.getcwd())
"""

MODULES = ("types", "queue", "asyncio", "json", "typing", "signal", "logging", "random", "string", "io")
SHADOWED = """
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput
import helping

class AppInput(BaseAppInput):
    pass
class AppOutput(BaseAppOutput):
    helped: str
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        from . import types
        return AppOutput(helped=helping.WORD + types.WORD)
"""


@pytest.fixture
def folder(tmp_path):
    return write_apps(tmp_path / "apps")


def add_app(folder, name, files, manifest=""):
    (folder / name).mkdir()
    for file, text in {"inf.yml": f"name: {name}\nnamespace: test\n{manifest}", **files}.items():
        (folder / name / file).write_text(text)


def ran(folder, app, **config):
    """The task of the app, and the token of the engine that ran it."""
    engine = BackgroundEngine(EngineConfig(apps_dir=folder, **config))
    try:
        answer = Api(engine.base_url, engine.token, folder).run(app, {}, wait=True)
        assert answer.status == 200, answer.json
        return answer.json, engine.token
    finally:
        engine.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_sees_declared_secrets_and_nothing_else_of_the_engines(folder, monkeypatch):
    hidden = random.token_hex(16)
    monkeypatch.setenv("SOMEBODYS_PASSWORD", hidden)
    monkeypatch.setenv("INFERENCE_API_KEY", hidden)
    monkeypatch.setenv("DECLARED_KEY", "declared")
    add_app(folder, "probe", {"inference.py": PROBE}, "secrets:\n- key: DECLARED_KEY\nenv:\n  MODE: fast\n")
    task, token = ran(folder, "probe")
    environment = task["output"]["environment"]
    assert (environment["DECLARED_KEY"], environment["MODE"]) == ("declared", "fast")
    everything = json.dumps(task)
    assert hidden not in everything
    assert token not in everything
    assert task["output"]["folder"] == str(folder / "probe")


def test_no_app_loosens_what_its_input_may_name(folder):
    rules = "env:\n  INFERENCESH_FETCH_POLICY: '{\"allow_private\": true}'\n  INFERENCESH_INPUT_FOLDER: /\n"
    add_app(folder, "probe", {"inference.py": PROBE}, rules)
    environment = ran(folder, "probe")[0]["output"]["environment"]
    assert json.loads(environment["INFERENCESH_FETCH_POLICY"])["allow_private"] is False
    assert environment["INFERENCESH_INPUT_FOLDER"] == str(folder / ".inferencesh" / "blobs")


def test_files_called_like_modules_of_python_break_nothing(folder):
    broken = {f"{name}.py": 'WORD = "own"\nSimpleQueue = None\n' for name in MODULES}
    add_app(folder, "shadowed", {**broken, "helping.py": 'WORD = "help "', "inference.py": SHADOWED})
    assert ran(folder, "shadowed")[0]["output"]["helped"] == "help own"


def test_a_relative_python_path_of_the_engine_holds_for_its_workers(folder, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "from_elsewhere.py").write_text("")
    code = SHADOWED.replace("import helping", "import from_elsewhere").replace("from . import types", "")
    code = code.replace("helping.WORD + types.WORD", '"found"')
    add_app(folder, "importing", {"inference.py": code})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, ["elsewhere", os.environ.get("PYTHONPATH")]))
    )
    assert ran(folder, "importing")[0]["output"]["helped"] == "found"
