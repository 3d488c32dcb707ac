"""Every code block of the README of 0.7.8 runs on this client, against the engine."""

import gc
import shutil
import warnings
from pathlib import Path

import pytest

from inferencesh import APIError, InferenceError, RequirementsNotMetError, TaskStatus, inference
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

from .markdown import Block, blocks_of

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
BLOCKS = {block.name: block for block in blocks_of(HERE / "published.md")}

LATER = {
    "sessions (stateful execution) 1",
    "session context manager 1",
    "session management 1",
    "custom session timeout 1",
    "using a template agent 1",
    "creating an ad-hoc agent 1",
    "file attachments 1",
    "file attachments 2",
    "structured output with `run()` 1",
    "per-chat context variables 1",
    "tool builder 1",
    "async agent 1",
}
"""Blocks about sessions and agents, whose packages are not there yet."""

SESSION_LINES = """
    # Stateful session (async) — session() is async, so await before the context manager
    async with await client.session("my-app@abc123", input={"start": True}) as session:
        await session.call("step", {"x": 1})
        async for update in await session.call("run", {"prompt": "..."}, stream=True):
            print(update.get("status"))
"""
"""What the block of the asynchronous client has about sessions; it is left out until they are there."""

SECRET_APP = """\
name: my-app
secrets:
  - key: README_SECRET
    description: a secret nobody set
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    apps = tmp_path_factory.mktemp("apps")
    install(apps / "your-app", EXAMPLES / "apps" / "setup-model")
    install(apps / "my-app", EXAMPLES / "apps" / "echo").joinpath("inf.yml").write_text(SECRET_APP)
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


def execute(name: str, scope: dict, *replacements: tuple[str, str]) -> dict:
    """Run a block as it stands in the document, but for the given texts."""
    block: Block = BLOCKS[name]
    code = block.code
    for text, replacement in replacements:
        assert text in code
        code = code.replace(text, replacement)
    exec(compile("\n" * (block.line - 1) + code, "published.md", "exec"), scope)
    return scope


def test_every_python_block_is_run_or_known_to_come_later():
    python = {name for name, block in BLOCKS.items() if block.language == "python"}
    source = Path(__file__).read_text()
    run = {name for name in python if f'execute("{name}"' in source or f"execute('{name}'" in source}
    assert run | LATER == python
    assert not run & LATER


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


def test_async_client(scope, capsys):
    import asyncio

    scope["task_id"] = scope["client"].tasks.run(scope["params"])["id"]
    # Its first task is one of any input; the app that stands in for it wants a prompt.
    execute("async client 1", scope, (SESSION_LINES, ""), ('{"key": "value"}', '{"prompt": "value"}'))
    with warnings.catch_warnings():
        # As the document has it, nobody closes the client; ours says so.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(scope["main"]())
        gc.collect()
    printed = capsys.readouterr().out
    assert "'text': 'small says: value'" in printed
    assert "'text': 'small says: hi'" in printed
    assert f"Update: {{'id': '{scope['task_id']}'" in printed


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
