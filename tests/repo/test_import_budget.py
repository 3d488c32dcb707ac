"""`from inferencesh import inference` stays cheap: few modules, none of them heavy."""

import subprocess
import sys

import pytest

from inferencesh_core.testing.loopback import Loopback

HEAVY = {
    "aiohttp",
    "asyncio",
    "email",
    "http",
    "json",
    "jsonschema",
    "logging",
    "multiprocessing",
    "pathlib",
    "pluggy",
    "pydantic",
    "requests",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "urllib3",
    "yaml",
}
MODULES_ALLOWED = 40
MODULES_ALLOWED_FOR_A_CALL = 160

UNNEEDED_FOR_A_CALL = {
    "dataclasses",
    "importlib.metadata",
    "inferencesh_core.files",
    "jsonschema",
    "pydantic",
    "requests",
    "urllib3",
    "yaml",
    "zipfile",
}
SYNCHRONOUS = """
from inferencesh import inference
with inference("key", {url!r}) as client:
    assert client.tasks.get("t1")["status"] == 10
"""
ASYNCHRONOUS = """
import asyncio
from inferencesh import async_inference
async def main():
    async with async_inference("key", {url!r}) as client:
        assert (await client.tasks.get("t1"))["status"] == 10
asyncio.run(main())
"""


def modules_after(code):
    """The modules in memory after a program, on an interpreter that starts bare: no package hooks into it."""
    program = f"import site, sys; sys.path[:0] = sys.argv[1:]\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", program, *sys.path]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def imported_by(code):
    return modules_after(code) - modules_after("")


def test_importing_the_client_imports_few_modules():
    imported = imported_by("from inferencesh import inference")
    assert len(imported) <= MODULES_ALLOWED, sorted(imported)


def test_importing_the_client_imports_nothing_heavy():
    assert (
        imported_by("from inferencesh import inference, TaskStatus, parse_status, APIError") & HEAVY == set()
    )


def test_importing_the_asynchronous_client_is_as_cheap():
    imported = imported_by("from inferencesh import async_inference, AsyncInference")
    assert len(imported) <= MODULES_ALLOWED, sorted(imported)
    assert imported & HEAVY == set()


@pytest.fixture
def without_orjson(monkeypatch):
    """Its own imports are none of ours."""
    monkeypatch.setenv("INFERENCESH_JSON", "stdlib")


def loaded_by_a_call(program):
    with Loopback(lambda exchange: exchange.answer({"id": "t1", "status": 10})) as server:
        return imported_by(program.format(url=server.url))


@pytest.mark.usefixtures("without_orjson")
def test_a_call_loads_few_modules():
    loaded = loaded_by_a_call(SYNCHRONOUS)
    assert len(loaded) <= MODULES_ALLOWED_FOR_A_CALL, sorted(loaded)
    assert not loaded & {"aiohttp", "asyncio", "logging"}


@pytest.mark.usefixtures("without_orjson")
@pytest.mark.parametrize("program", [SYNCHRONOUS, ASYNCHRONOUS], ids=["sync", "async"])
def test_a_call_loads_nothing_it_does_not_need(program):
    assert not loaded_by_a_call(program) & UNNEEDED_FOR_A_CALL


@pytest.mark.usefixtures("without_orjson")
def test_what_follows_tasks_is_loaded_by_the_client_whose_loop_it_would_hold_later():
    assert "inferencesh_core.follow" not in loaded_by_a_call(SYNCHRONOUS)
    assert "inferencesh_core.follow" in loaded_by_a_call(ASYNCHRONOUS)


def test_the_names_of_apps_do_not_bring_the_engine():
    imported = imported_by("from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, File")
    assert not {name for name in imported if name.startswith(("inferencesh_engine", "aiohttp", "requests"))}


def test_the_names_of_agents_do_not_bring_what_tools_need_when_they_run():
    imported = imported_by("from inferencesh import Agent, ToolCallInfo, function_tool, string, tool")
    assert not imported & {"aiohttp", "asyncio", "jsonschema", "pydantic", "requests"}
    assert not {name for name in imported if name.startswith(("inferencesh_engine", "inferencesh_app"))}


@pytest.fixture(scope="module")
def loaded_by_the_command(tmp_path_factory):
    """What is in the memory of an engine's own process once it serves."""
    folder = tmp_path_factory.mktemp("apps")
    return modules_after(f"""
import asyncio
from pathlib import Path
from inferencesh_engine import EngineConfig
from inferencesh_engine.serving import serving
async def main():
    async with serving(EngineConfig(apps_dir=Path({str(folder)!r})), own_process=True):
        pass
asyncio.run(main())
""")


def test_an_engine_in_which_nobody_talks_to_agents_does_not_load_what_runs_them(loaded_by_the_command):
    assert "inferencesh_engine.api.chats" in loaded_by_the_command
    agents = {name for name in loaded_by_the_command if name.startswith("inferencesh_engine.agents.")}
    assert agents == {"inferencesh_engine.agents.feed"}


def test_an_engine_loads_no_client_no_validator_and_nothing_of_apps_before_it_needs_them(
    loaded_by_the_command,
):
    heavy = {"aiohttp.client", "aiohttp.web", "jsonschema", "referencing", "requests", "urllib3", "pydantic"}
    assert "aiohttp.web_server" in loaded_by_the_command
    assert not heavy & loaded_by_the_command


def test_a_worker_is_under_way_before_what_it_does_not_need_is_loaded():
    loaded = imported_by(
        "import inferencesh_engine.__main__, inferencesh_engine.engine, inferencesh_engine.executors.spare"
    )
    late = {"inferencesh_engine.parts", "inferencesh_engine.catalog", "inferencesh_engine.presence"}
    assert not loaded & {*late, "aiohttp", "difflib", "inferencesh_app.manifest", "sqlite3", "yaml"}


def test_a_spare_worker_loads_what_apps_need_and_nothing_that_the_engine_does_for_it():
    code = (
        "import os; from inferencesh_app.worker import __main__, spare\n"
        "reading, writing = os.pipe()\nos.close(writing)\n"
        "assert spare.assignment(reading) is None"
    )
    loaded = imported_by(code)
    assert {"inferencesh_app.worker.host", "inferencesh_app.loader", "pydantic"} <= loaded
    assert not loaded & {"aiohttp", "argparse", "pluggy", "requests", "urllib3", "yaml"}
