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
    "inferencesh_core.follow",
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


def test_the_names_of_apps_do_not_bring_the_engine():
    imported = imported_by("from inferencesh import BaseApp, BaseAppInput, BaseAppOutput, File")
    assert not {name for name in imported if name.startswith(("inferencesh_engine", "aiohttp", "requests"))}


def test_the_names_of_agents_do_not_bring_what_tools_need_when_they_run():
    imported = imported_by("from inferencesh import Agent, ToolCallInfo, function_tool, string, tool")
    assert not imported & {"aiohttp", "asyncio", "jsonschema", "pydantic", "requests"}
    assert not {name for name in imported if name.startswith(("inferencesh_engine", "inferencesh_app"))}


def test_an_engine_in_which_nobody_talks_to_agents_does_not_load_what_runs_them(tmp_path):
    code = f"""
import asyncio
from pathlib import Path
from inferencesh_engine import EngineConfig
from inferencesh_engine.serving import serving
async def main():
    async with serving(EngineConfig(apps_dir=Path({str(tmp_path)!r}))):
        pass
asyncio.run(main())
"""
    loaded = modules_after(code)
    assert "inferencesh_engine.api.chats" in loaded
    assert not {"inferencesh_engine.agents.runtime", "inferencesh_engine.agents.turns"} & loaded
