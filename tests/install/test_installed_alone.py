"""Each package, installed alone in a clean environment, does real work there."""

import pytest

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

from .conftest import ROOT

APP = """
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    text: str

class AppOutput(BaseAppOutput):
    text: str

class App(BaseApp):
    async def run(self, app_input: AppInput) -> AppOutput:
        return AppOutput(text=app_input.text)
"""

RUN_A_TASK = """
from {package} import inference
with inference() as client:
    print(client.tasks.run({{"app": "test/echo", "input": {{"text": "hello"}}}})["output"]["text"])
"""


@pytest.fixture(scope="module")
def apps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apps")
    (folder / "echo").mkdir()
    (folder / "echo" / "inf.yml").write_text("name: echo\nnamespace: test\n")
    (folder / "echo" / "inference.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def engine(apps, tmp_path_factory):
    engine = BackgroundEngine(EngineConfig(apps_dir=apps, state_dir=tmp_path_factory.mktemp("state")))
    yield engine
    engine.stop()


@pytest.fixture
def at_the_engine(engine):
    return {"INFERENCE_API_KEY": engine.token, "INFERENCE_BASE_URL": engine.base_url}


def test_core_brings_requests_and_pluggy_and_nothing_else(environment_with):
    found = environment_with("inferencesh-core").distributions()
    assert found.pop("inferencesh-core") == ["pluggy", "requests"]
    assert found.pop("pluggy") == []
    assert set(found.pop("requests")) == set(found)


def test_core_alone_runs_a_task_and_uploads_a_file(environment_with, at_the_engine):
    core = environment_with("inferencesh-core")
    assert core.run(RUN_A_TASK.format(package="inferencesh_core"), **at_the_engine) == "hello"
    upload = (
        "from inferencesh_core import inference\n"
        "with inference() as client: print(client.files.upload(b'hello')['size'])"
    )
    assert core.run(upload, **at_the_engine) == "5"


def test_async_brings_aiohttp_and_core(environment_with):
    found = environment_with("inferencesh-async").distributions()["inferencesh-async"]
    assert set(found) - {"async-timeout"} == {"aiohttp", "inferencesh-core"}


def test_async_alone_runs_a_task(environment_with, at_the_engine):
    code = """
import asyncio
from inferencesh_async import async_inference
async def main():
    async with async_inference() as client:
        task = await client.tasks.run({"app": "test/echo", "input": {"text": "hello"}})
        print(task["output"]["text"])
asyncio.run(main())
"""
    assert environment_with("inferencesh-async").run(code, **at_the_engine) == "hello"


def test_without_aiohttp_the_asynchronous_client_works_and_names_it_where_a_proxy_needs_it(
    environment_with, at_the_engine
):
    bare = environment_with("inferencesh-core", "inferencesh-async", "pluggy", no_dependencies=True)
    code = """
import asyncio
from inferencesh_async import async_inference
async def main():
    async with async_inference() as client:
        print((await client.tasks.run({"app": "test/echo", "input": {"text": "hello"}}))["output"]["text"])
try: asyncio.run(main())
except Exception as error: print(type(error).__name__, error)
"""
    assert bare.run(code, **at_the_engine) == "hello"
    proxied = bare.run(code, **at_the_engine, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="")
    assert proxied.startswith("ConfigurationError")
    assert proxied.endswith("pip install aiohttp")


def test_app_alone_reads_a_manifest_and_serves_an_app(environment_with, apps):
    app = environment_with("inferencesh-app")
    assert set(app.distributions()["inferencesh-app"]) == {"inferencesh-core", "pydantic", "pyyaml"}
    serve = """
import json, os, subprocess, sys
from pathlib import Path
from inferencesh_app import load_manifest
folder = sys.argv[1]
print(load_manifest(Path(folder)).name)
orders, to_worker = os.pipe()
from_worker, answers = os.pipe()
command = ["-m", "inferencesh_app.worker", "--app", folder, "--fd-in", str(orders), "--fd-out", str(answers)]
worker = subprocess.Popen([sys.executable, *command], pass_fds=(orders, answers), stdin=subprocess.DEVNULL)
os.close(orders); os.close(answers)
with open(to_worker, "w") as out, open(from_worker) as lines:
    for order in (
        {"type": "setup", "setup": None, "metadata": {}},
        {"type": "call", "call": "1", "function": None, "input": {"text": "hello"}, "metadata": {}},
    ):
        print(json.dumps(order), file=out, flush=True)
    for line in lines:
        answer = json.loads(line)
        if answer["type"] in ("result", "failed", "load_failed", "setup_failed"):
            print(answer["output"]["text"] if answer["type"] == "result" else answer)
            break
    print(json.dumps({"type": "unload"}), file=out, flush=True)
    print(worker.wait(20))
"""
    assert app.run(serve, apps / "echo").splitlines() == ["echo", "hello", "0"]


def test_sessions_alone_hold_one_and_raise_its_errors(environment_with, at_the_engine):
    sessions = environment_with("inferencesh-sessions")
    assert sessions.distributions()["inferencesh-sessions"] == ["inferencesh-core"]
    code = """
from inferencesh_core import inference
from inferencesh_sessions import SessionEndedError
with inference() as client:
    with client.session("test/echo", input={"text": "hello"}) as session:
        print(session.task["output"]["text"], session.call("run", {"text": "again"})["output"]["text"])
        print(client.sessions.get(session.session_id)["call_count"])
    try: session.call()
    except SessionEndedError as error: print(error.session_id == session.session_id)
"""
    assert sessions.run(code, **at_the_engine).splitlines() == ["hello again", "2", "True"]


def test_agents_alone_hold_a_conversation_and_run_its_tools(environment_with, at_the_engine):
    agents = environment_with("inferencesh-agents")
    assert agents.distributions()["inferencesh-agents"] == ["inferencesh-core", "jsonschema"]
    code = """
from inferencesh_core import inference
from inferencesh_agents import AgentAPIError, string, tool
weather = tool("get_weather").describe("Get current weather").param("city", string("City name"))
tools = [weather.handler(lambda args: f"rain in {args['city']}")]
with inference() as client:
    agent = client.agents.create({"core_app": {"ref": "inferencesh/scripted"}, "tools": tools})
    print(agent.send_message("What's the weather in Paris?")["content"][-1]["text"])
    try: client.agent("nobody/nothing").send_message("Hello!")
    except AgentAPIError as error: print(error.status_code)
"""
    assert agents.run(code, **at_the_engine).splitlines() == ["get_weather says: rain in Paris", "404"]


NEED_PYDANTIC = [
    "function_tool(print)",
    "inference(api_key='k').agents.create('namespace/name').run('Hello!', output_type=dict)",
]


@pytest.mark.parametrize("expression", NEED_PYDANTIC)
def test_agents_alone_say_what_functions_and_types_need(environment_with, expression):
    code = (
        "from inferencesh_core import inference\nfrom inferencesh_agents import function_tool\n"
        f"try: {expression}\nexcept ImportError as error: print(error)"
    )
    printed = environment_with("inferencesh-agents").run(code)
    assert printed.endswith("pip install 'inferencesh-agents[pydantic]'")


@pytest.mark.parametrize(
    ("package", "module"), [("inferencesh-engine", "inferencesh_core"), ("inferencesh", "inferencesh")]
)
def test_what_brings_the_engine_runs_apps_on_this_machine(environment_with, apps, package, module):
    local = {"INFERENCE_BASE_URL": f"local:{apps}"}
    assert environment_with(package).run(RUN_A_TASK.format(package=module), **local) == "hello"


def test_the_meta_package_holds_a_conversation_without_any_model(environment_with, apps):
    code = """
from inferencesh import inference, string, tool
weather = tool("get_weather").describe("Get current weather").param("city", string("City name"))
tools = [weather.handler(lambda args: f"rain in {args['city']}")]
with inference() as client:
    agent = client.agents.create({"core_app": {"ref": "inferencesh/scripted"}, "tools": tools})
    print(*(type(delta).__name__ for delta in agent.stream("What's the weather in Paris?")))
"""
    local = {"INFERENCE_BASE_URL": f"local:{apps}"}
    seen = environment_with("inferencesh").run(code, **local).split()
    assert seen[-1] == "TurnDone"
    assert {"ToolCalled", "ToolReturned", "TextDelta"} < set(seen)


def test_the_meta_package_brings_every_package_and_all_names(environment_with):
    meta = environment_with("inferencesh")
    siblings = {name for name in meta.distributions() if name.startswith("inferencesh")}
    assert siblings == {path.name for path in (ROOT / "packages").iterdir()}
    code = "import inferencesh; print(all(hasattr(inferencesh, name) for name in inferencesh.__all__))"
    assert meta.run(code) == "True"


MISSING = [
    ("inference(api_key='k').agents", "inferencesh-agents"),
    ("inference(api_key='k').agent('namespace/name')", "inferencesh-agents"),
    ("inference(api_key='k').sessions", "inferencesh-sessions"),
    ("inference(base_url='local:apps')", "inferencesh-engine"),
]


@pytest.mark.parametrize(("expression", "package"), MISSING)
def test_core_names_the_package_that_is_missing(environment_with, expression, package):
    code = (
        "from inferencesh_core import inference\n"
        f"try: {expression}\nexcept Exception as error: print(type(error).__name__, error)"
    )
    printed = environment_with("inferencesh-core").run(code)
    assert printed.endswith(f"pip install {package}"), printed


def test_the_meta_package_names_the_package_that_is_missing(environment_with):
    bare = environment_with("inferencesh", "inferencesh-core", no_dependencies=True)
    for name, package in [
        ("BaseApp", "inferencesh-app"),
        ("async_inference", "inferencesh-async"),
        ("tool", "inferencesh-agents"),
    ]:
        code = f"try: from inferencesh import {name}\nexcept ImportError as error: print(error)"
        assert bare.run(code) == f"inferencesh.{name} comes with the package {package}: pip install {package}"
