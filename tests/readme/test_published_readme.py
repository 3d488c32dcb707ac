"""Every code block of the README of 0.7.8 about tasks, files and apps runs against the engine."""

import gc
import re
import shutil
import warnings
from pathlib import Path

import pytest

from inferencesh import (
    APIError,
    InferenceError,
    RequirementsNotMetError,
    SessionEndedError,
    TaskStatus,
    inference,
)
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

from .published import BLOCKS, HERE, execute

EXAMPLES = HERE.parents[1] / "examples"

SECRET_APP = """\
name: my-app
secrets:
  - key: README_SECRET
    description: a secret nobody set
"""


STATEFUL_APP = """
from inferencesh import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    prompt: str = ""
    action: str = ""
    step: int = 0
    start: bool = False
    x: int = 0

class AppOutput(BaseAppOutput):
    seen: list[str]

class App(BaseApp):
    seen: list[str] = []

    def look(self, function, given):
        self.seen.append(function + str(given.model_dump(exclude_defaults=True)))
        return AppOutput(seen=self.seen)

    async def run(self, given: AppInput) -> AppOutput:
        return self.look("run", given)

    async def process(self, given: AppInput) -> AppOutput:
        return self.look("process", given)

    async def step(self, given: AppInput) -> AppOutput:
        return self.look("step", given)
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    apps = tmp_path_factory.mktemp("apps")
    install(apps / "your-app", EXAMPLES / "apps" / "setup-model")
    install(apps / "my-app", EXAMPLES / "apps" / "echo").joinpath("inf.yml").write_text(SECRET_APP)
    install(apps / "my-stateful-app", EXAMPLES / "apps" / "echo").joinpath("inference.py").write_text(
        STATEFUL_APP
    )
    engine = BackgroundEngine(EngineConfig(apps_dir=apps, token="your-api-key"))
    yield engine
    engine.stop()


def install(folder: Path, example: Path) -> Path:
    """Let an example app stand in for one the README names."""
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns("__pycache__"))
    folder.joinpath("inf.yml").write_text(f"name: {folder.name}\n")
    return folder


@pytest.fixture
def scope(engine, monkeypatch):
    """The names a block finds: what a reader of the README has at that point."""
    monkeypatch.setenv("INFERENCE_BASE_URL", engine.base_url)
    with inference(api_key="your-api-key") as client:
        yield {
            "client": client,
            "TaskStatus": TaskStatus,
            "params": {"app": "your-app", "input": {"prompt": "hi"}},
        }


def test_every_python_block_is_run():
    python = {name for name, block in BLOCKS.items() if block.language == "python"}
    sources = "".join(path.read_text() for path in HERE.glob("test_published_*.py"))
    executed = set(re.findall(r"execute(?:_awaiting)?\(['\"](.+?)['\"],", sources))
    assert executed == python


def test_installation_names_this_distribution():
    from importlib.metadata import version

    assert BLOCKS["installation 1"].code.split() == ["pip", "install", "inferencesh"]
    assert version("inferencesh")


def test_client_usage(scope, capsys):
    execute("client usage 1", scope)
    scope["client"].close()
    printed = capsys.readouterr().out
    assert f"Task ID: {scope['result']['id']}" in printed
    assert "'model': 'small'" in printed


def test_setup_parameters_reach_the_app(scope):
    result = execute("with setup parameters 1", scope)["result"]
    assert result["output"]["text"] == "schnell says: hello"


def test_run_options(scope, capsys):
    execute("run options 1", scope)
    printed = capsys.readouterr().out
    assert "Status: COMPLETED" in printed
    assert "small says: hi" in printed
    assert scope["task_id"] == scope["task"]["id"] != scope["result"]["id"]


def test_task_management(scope, capsys):
    scope["task_id"] = scope["client"].tasks.run(scope["params"])["id"]
    execute("run options 1", {**scope, "client": scope["client"]})
    execute("task management 1", {**scope, **_status_helpers()})
    printed = capsys.readouterr().out
    assert "Status: COMPLETED" in printed
    assert f"'id': '{scope['task_id']}'" in printed.partition("Final result: ")[2]


def _status_helpers() -> dict:
    from inferencesh import is_terminal_status, parse_status

    return {"is_terminal_status": is_terminal_status, "parse_status": parse_status}


def test_task_status_values_are_those_written_beside_them(scope):
    execute("task status values 1", scope)
    for line in BLOCKS["task status values 1"].code.splitlines():
        if line.startswith("TaskStatus."):
            expression, _, comment = line.partition("#")
            assert eval(expression, scope) == int(comment.split("-")[0])


@pytest.mark.parametrize("status", [10, "completed", "failed", 12, "running", None])
def test_status_helpers(scope, status):
    execute("status helpers 1", {**scope, "update": {"status": status}, "message": {"status": "ready"}})


def seen_by(session_id: str, scope: dict) -> list[str]:
    """What the stateful app has seen in a session, this call included."""
    params = {"app": "my-stateful-app", "session": session_id, "input": {"prompt": "?"}}
    return scope["client"].tasks.run(params)["output"]["seen"]


@pytest.fixture
def version(scope):
    """The short version of the stateful app, where the README has one of its own."""
    return scope["client"].tasks.run({"app": "my-stateful-app", "input": {}})["app_version_id"][:8]


def test_sessions(scope, capsys):
    execute("sessions (stateful execution) 1", scope)
    assert f"Session ID: {scope['session_id']}\n" in capsys.readouterr().out
    seen = seen_by(scope["session_id"], scope)
    assert len(seen) == 3
    assert scope["result"]["session_id"] == scope["session_id"]


def test_session_context_manager(scope, version, capsys):
    execute("session context manager 1", scope, ("@abc123", f"@{version}"))
    *statuses, session_id = capsys.readouterr().out.splitlines()
    assert statuses[-1] == "10"
    assert session_id == scope["session"].session_id
    with pytest.raises(SessionEndedError):
        scope["session"].call()
    last = list(
        scope["client"].tasks.list(filters=[{"field": "session_id", "operator": "eq", "value": session_id}])
    )
    assert last[0]["output"]["seen"] == [
        "run{'prompt': 'hello'}",
        "process{'step': 1}",
        "process{'step': 2}",
        "run{'prompt': '...'}",
    ]


def test_session_management(scope):
    session = scope["client"].session("my-stateful-app")
    execute("session management 1", {**scope, "session_id": session.session_id})
    assert session.info()["status"] == "ended"


def test_custom_session_timeout(scope):
    execute("custom session timeout 1", scope)
    info = scope["client"].sessions.get(scope["result"]["session_id"])
    assert (info["idle_timeout"], info["status"]) == (300, "active")
    assert scope["result"]["session_timeout"] == 300


def test_file_upload(scope, tmp_path, capsys):
    (tmp_path / "image.png").write_bytes((EXAMPLES / "lighthouse.png").read_bytes())
    execute("file upload 1", scope, ("/path/to/", f"{tmp_path}/"))
    assert "URI: http" in capsys.readouterr().out
    assert scope["file_obj"]["filename"] == "custom_name.png"
    assert scope["file_obj"]["content_type"] == "image/png"


def test_generated_tool_types(scope):
    execute("generated tool types 1", scope)


def test_integration_and_instance_enums_have_the_values_written_beside_them(scope):
    execute("integration and instance enums 1", scope)
    for line in BLOCKS["integration and instance enums 1"].code.splitlines():
        expression, comment, value = line.partition("#")
        if comment:
            assert eval(expression, scope).value == eval(value)


def test_requirements_errors(scope, capsys):
    execute("requirements errors (HTTP 412) 1", scope, ("{...}", "{}"))
    assert "secret: README_SECRET — " in capsys.readouterr().out
    with pytest.raises(RequirementsNotMetError) as caught:
        scope["client"].tasks.run({"app": "my-app", "input": {}})
    assert caught.value.errors[0].action.type == "add_secret"
    assert isinstance(caught.value, APIError)
    assert isinstance(caught.value, InferenceError)


def test_async_client(scope, version, capsys):
    import asyncio

    scope["task_id"] = scope["client"].tasks.run(scope["params"])["id"]
    # Its first task is one of any input; the app that stands in for it wants a prompt.
    session = ("my-app@abc123", f"my-stateful-app@{version}")
    execute("async client 1", scope, session, ('{"key": "value"}', '{"prompt": "value"}'))
    with warnings.catch_warnings():
        # As the document has it, nobody closes the client; ours says so.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(scope["main"]())
        gc.collect()
    printed = capsys.readouterr().out
    assert "'text': 'small says: value'" in printed
    assert "'text': 'small says: hi'" in printed
    assert f"Update: {{'id': '{scope['task_id']}'" in printed
    assert printed.endswith("\n10\n")  # the last update of the session's last call


def test_file_handling(scope, tmp_path, capsys):
    (tmp_path / "file.png").write_bytes((EXAMPLES / "lighthouse.png").read_bytes())
    execute("file handling 1", scope, ("/path/to/", f"{tmp_path}/"))
    size = (tmp_path / "file.png").stat().st_size
    assert capsys.readouterr().out.splitlines() == ["image/png", str(size), "file.png"]
    assert scope["exists"] is True


def test_creating_an_app(tmp_path):
    app = tmp_path / "apps" / "made-from-the-readme"
    app.mkdir(parents=True)
    (tmp_path / "result.png").write_bytes((EXAMPLES / "lighthouse.png").read_bytes())
    code = BLOCKS["creating an app 1"].code
    execute("creating an app 1", {}, ("/tmp/", f"{tmp_path}/"))
    app.joinpath("inf.yml").write_text("name: made-from-the-readme\n")
    app.joinpath("inference.py").write_text(code.replace("/tmp/", f"{tmp_path}/"))
    with inference(base_url=f"local:{app.parent}") as client:
        task = client.tasks.run({"app": "made-from-the-readme", "input": {"image": "a.png", "mask": "b.png"}})
    assert task["output"]["image"].startswith("http")
