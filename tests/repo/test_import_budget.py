"""`from inferencesh import inference` stays cheap: few modules, none of them heavy."""

import subprocess
import sys

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
