"""The process that is started before it is needed: who gets it, what is left of its past, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inferencesh_app.notes import Notes
from inferencesh_app.worker import protocol
from inferencesh_engine.child_environment import bare_environment
from inferencesh_engine.executors import WorkerSpec
from inferencesh_engine.executors.spare import Spare
from inferencesh_engine.executors.subprocess import SubprocessExecutor
from inferencesh_engine.testing.executors import Recorder, is_running, open_files, processes_gone, within

APP = """
import json, os, subprocess, sys
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    pass

class AppOutput(BaseAppOutput):
    seen: str

IMPORTED_WITH = dict(os.environ)

class App(BaseApp):
    def run(self, input_data: AppInput) -> AppOutput:
        print("a word")
        os.write(2, b"another")
        child = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
        return AppOutput(seen=json.dumps({
            "environment": dict(os.environ), "imported with": IMPORTED_WITH,
            "child's": json.loads(subprocess.check_output(child)),
            "started with": open("/proc/self/environ").read().split("\\0"),
            "command": open("/proc/self/cmdline").read().split("\\0"),
            "folder": os.getcwd(), "arguments": sys.argv[1:], "pid": os.getpid(), "group": os.getpgrp(),
        }))
"""


@pytest.fixture
def app(tmp_path):
    """Makes app folders."""

    def made(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "inf.yml").write_text(f"name: {name}\n")
        (folder / "inference.py").write_text(APP)
        return folder

    return made


@asynccontextmanager
async def opened(**variables):
    """An executor with a spare that has these variables besides the usual ones."""
    executor = SubprocessExecutor(Spare(bare_environment() | variables, pause_seconds=0))
    await executor.open()
    try:
        yield executor
    finally:
        await executor.close()


async def look_around(executor, folder, **environment):
    """What an app sees in a worker with these variables besides the usual ones; and what it printed."""
    heard = Recorder()
    spec = WorkerSpec(folder=folder, environment=bare_environment() | environment, max_message_bytes=10**6)
    worker = await executor.start(spec, heard)
    try:
        assert (await within(heard.messages.get()))["type"] == "loaded"
        worker.send(protocol.setup(None, {}))
        worker.send(protocol.call("1", None, {}, {}))
        while (message := await within(heard.messages.get()))["type"] != "result":
            assert not message["type"].endswith("failed"), message
            heard.texts += [message["content"]] if message["type"] == "log" else []
        return json.loads(message["output"]["seen"]), "".join(heard.texts)
    finally:
        worker.kill()
        await within(heard.gone.wait())


def was_spare(seen):
    return "--app" not in seen["command"]


def test_the_first_app_gets_the_spare_and_notices_nothing(app):
    async def scene():
        async with opened() as executor:
            folder = app("first")
            seen, printed = await look_around(executor, folder)
            assert was_spare(seen)
            assert seen["folder"] == str(folder)
            assert seen["arguments"] == []
            assert seen["group"] == seen["pid"]
            assert "a word" in printed
            assert "another" in printed
            await processes_gone(seen["pid"])

    asyncio.run(scene())


def test_a_spare_that_is_told_what_the_manifest_says_does_not_read_it(app):
    async def scene():
        async with opened() as executor:
            folder = app("first")
            (folder / "inf.yml").write_text("neither YAML: nor: a manifest")
            heard = Recorder()
            spec = WorkerSpec(
                folder=folder,
                environment=bare_environment(),
                max_message_bytes=10**6,
                notes=Notes({"run": "Looks around."}, "run"),
            )
            worker = await executor.start(spec, heard)
            message = await within(heard.messages.get())
            worker.kill()
            await within(heard.gone.wait())
            assert message["type"] == "loaded"
            assert message["description"]["functions"]["run"]["description"] == "Looks around."

    asyncio.run(scene())


def test_the_environment_of_the_app_takes_the_place_of_the_spares(app):
    async def scene():
        async with opened(LEFT_OVER="yes", CHANGED="before") as executor:
            seen, _ = await look_around(executor, app("first"), CHANGED="after", ONLY="ä\udcff\n", SECRET="s")
            assert was_spare(seen)
            given = bare_environment() | {"CHANGED": "after", "ONLY": "ä\udcff\n", "SECRET": "s"}
            for view in ("environment", "imported with", "child's"):
                assert seen[view].pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8", "PEP 538 may set it"
                assert seen[view] == {name: value for name, value in given.items() if name != "LC_CTYPE"}
            assert not any("SECRET" in entry or "ONLY" in entry for entry in seen["started with"])

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "HOME"])
def test_an_app_with_a_variable_that_is_read_at_the_start_gets_a_process_of_its_own(app, name):
    async def scene():
        async with opened() as executor:
            seen, _ = await look_around(executor, app("first"), **{name: "1"})
            assert not was_spare(seen)
            assert seen["environment"][name] == "1"

    asyncio.run(scene())


def test_one_app_has_no_second_spare_but_the_third_app_has_one(app):
    async def scene():
        first, second, third = app("first"), app("second"), app("third")
        async with opened() as executor:
            assert was_spare((await look_around(executor, first))[0])
            assert children() == []
            assert not was_spare((await look_around(executor, first))[0])
            assert not was_spare((await look_around(executor, second))[0])
            assert was_spare((await look_around(executor, third))[0])

    asyncio.run(scene())


def test_a_spare_that_died_is_not_given_to_anybody(app):
    async def scene():
        async with opened() as executor:
            (spare,) = children()
            os.kill(spare, signal.SIGKILL)
            await asyncio.to_thread(until_gone, spare)
            await asyncio.sleep(0.1)  # the loop is told by the pipe and by the watcher of children
            assert not was_spare((await look_around(executor, app("first")))[0])

    asyncio.run(scene())


def test_closing_ends_the_spare_and_leaves_nothing_open():
    async def scene():
        before = open_files()
        async with opened():
            (spare,) = children()
        assert not is_running(spare)
        assert open_files() <= before

    asyncio.run(scene())


ENGINE = """
import asyncio, sys
from pathlib import Path
from inferencesh_engine import Engine, EngineConfig

async def main():
    async with Engine(EngineConfig(apps_dir=Path(sys.argv[1]))):
        print("started", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_no_spare_outlives_a_killed_engine_by_two_seconds(tmp_path):
    command = [sys.executable, "-c", ENGINE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout.readline() == "started\n"
        (spare,) = children(engine.pid)
        engine.send_signal(signal.SIGKILL)
        until_gone(spare, seconds=2)


def until_gone(pid, seconds=5):
    deadline = time.monotonic() + seconds
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(parent=None):
    """The ids of the processes this one, or the one given, has started and that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, owner = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(owner) == (parent or os.getpid()) and state != "Z":
            found.append(int(stat.parent.name))
    return found
