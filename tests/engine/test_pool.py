"""The pool with real worker processes: what the observer hears of jobs, and that nothing is left behind."""

# ruff: noqa: ARG002  # the witness has the observer's signatures

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from itertools import count

import pytest

from inferencesh_engine.catalog import Catalog
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.domain.jobs import Description, Job, LoadFailure
from inferencesh_engine.executors.subprocess import SubprocessExecutor
from inferencesh_engine.pool import Pool
from inferencesh_engine.testing.executors import is_running, processes_gone

APP = """
import asyncio, os, time
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup

class AppSetup(BaseAppSetup):
    model: str = "small"
    seconds: float = 0

class AppInput(BaseAppInput):
    do: str = "tell"
    seconds: float = 0

class AppOutput(BaseAppOutput):
    text: str
    pid: int

class App(BaseApp):
    async def setup(self, config: AppSetup):
        if config.model == "broken":
            raise RuntimeError("no such model")
        time.sleep(config.seconds)
        self.model = config.model

    async def run(self, input_data: AppInput) -> AppOutput:
        if input_data.do == "wait":
            await asyncio.sleep(input_data.seconds)
        if input_data.do == "block":
            time.sleep(input_data.seconds)
        if input_data.do == "die":
            os._exit(3)
        if input_data.do == "raise":
            raise ValueError("not today")
        return AppOutput(text=self.model, pid=os.getpid())

    async def count(self, input_data: AppInput) -> AppOutput:
        for number in range(3):
            yield AppOutput(text=str(number), pid=os.getpid())
"""


class Witness:
    """An observer that writes everything down, and can be waited for."""

    def __init__(self):
        self.heard = []
        self.ends = {}

    def on_status(self, task_id, attempt, status):
        self.heard.append((task_id, "status", int(status)))

    def on_log(self, task_id, attempt, log_type, text):
        self.heard.append((task_id, "log", text))

    def on_started(self, task_id, attempt, worker_id):
        self.heard.append((task_id, "started", worker_id))

    def on_output(self, task_id, attempt, output):
        self.heard.append((task_id, "output", output["text"]))

    def on_result(self, task_id, attempt, output):
        self._end(task_id, "result", output)

    def on_failed(self, task_id, attempt, kind, error, traceback):
        self._end(task_id, kind, error)

    def on_cancelled(self, task_id, attempt):
        self._end(task_id, "cancelled", None)

    def _end(self, task_id, kind, detail):
        assert task_id not in self.ends, f"{task_id} ended twice"
        self.ends[task_id] = (kind, detail)

    def of(self, task_id, what):
        return [detail for task, kind, detail in self.heard if (task, kind) == (task_id, what)]


async def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


class Stage:
    """A pool, its catalog, and short words for what the tests do with them."""

    def __init__(self, config):
        self.catalog = Catalog(config)
        self.witness = Witness()
        self.pool = Pool(config, self.catalog, SubprocessExecutor(), self.witness)
        self._numbers = count(1)

    @property
    def app(self):
        return self.catalog.resolve("acme/tool").app

    async def submit(self, function=None, setup=None, **given):
        task_id = f"t{next(self._numbers)}"
        job = Job(task_id=task_id, attempt=1, app=self.app, function=function, setup=setup, input=given)
        await self.pool.submit(job)
        return task_id

    async def end(self, task_id):
        await until(lambda: task_id in self.witness.ends)
        return self.witness.ends[task_id]

    async def run(self, function=None, setup=None, **given):
        return await self.end(await self.submit(function, setup, **given))

    async def started(self, task_id):
        await until(lambda: self.witness.of(task_id, "started"))


@pytest.fixture
def apps_dir(tmp_path):
    folder = tmp_path / "apps" / "tool"
    folder.mkdir(parents=True)
    (folder / "inf.yml").write_text("name: tool\nnamespace: acme\n")
    (folder / "inference.py").write_text(APP)
    return tmp_path / "apps"


@pytest.fixture
def play(apps_dir):
    @asynccontextmanager
    async def staged(**settings):
        stage = Stage(EngineConfig(apps_dir=apps_dir, **({"max_workers": 2} | settings)))
        try:
            yield stage
        finally:
            await stage.pool.stop()

    def run(scene, **settings):
        async def main():
            async with staged(**settings) as stage:
                await scene(stage)

        asyncio.run(main())

    return run


def test_a_cold_job_walks_through_every_status_and_a_warm_one_is_only_dispatched(play):
    async def scene(stage):
        kind, output = await stage.run()
        assert (kind, output["text"]) == ("result", "small")
        assert stage.witness.of("t1", "status") == [3, 4, 5, 6]
        assert await stage.run() == (kind, output), "another process served the warm job"
        assert stage.witness.of("t2", "status") == [3]
        assert stage.witness.of("t2", "started") == stage.witness.of("t1", "started")

    play(scene)


def test_the_worker_that_described_an_app_serves_the_first_job_of_any_setup(play):
    async def scene(stage):
        first, second = await asyncio.gather(stage.pool.describe(stage.app), stage.pool.describe(stage.app))
        assert isinstance(first, Description)
        assert first is second
        assert set(first.functions) == {"run", "count"}
        assert first.functions["run"].input_schema["properties"].keys() == {"do", "seconds"}
        assert first.setup_schema["properties"].keys() == {"model", "seconds"}
        _, output = await stage.run(setup={"model": "large"})
        assert output["text"] == "large"
        assert stage.witness.of("t1", "status") == [3, 6]

    play(scene)


def test_another_setup_gets_another_worker_and_an_empty_one_means_none(play):
    async def scene(stage):
        _, small = await stage.run()
        _, large = await stage.run(setup={"model": "large"})
        _, again = await stage.run(setup={})
        assert large["text"] == "large"
        assert large["pid"] != small["pid"]
        assert again == small

    play(scene)


def test_partial_outputs_come_before_the_result(play):
    async def scene(stage):
        _, output = await stage.run("count")
        assert output["text"] == "2"
        assert stage.witness.of("t1", "output")[:2] == ["0", "1"]

    play(scene)


def test_an_exception_fails_the_job_and_leaves_the_worker_warm(play):
    async def scene(stage):
        _, before = await stage.run()
        kind, error = await stage.run(do="raise")
        assert kind == "exception"
        assert "not today" in error
        assert await stage.run() == ("result", before)

    play(scene)


def test_a_worker_that_dies_fails_its_job_and_is_replaced(play):
    async def scene(stage):
        _, before = await stage.run()
        assert await stage.run(do="die") == (
            "worker_died",
            "worker of acme/tool died (exit code 3) while running the task",
        )
        _, after = await stage.run()
        assert after["pid"] != before["pid"]

    play(scene)


def test_an_app_that_cannot_be_imported_says_so_to_jobs_and_to_those_who_ask(play, apps_dir):
    (apps_dir / "tool" / "inference.py").write_text("import no_such_module\n")

    async def scene(stage):
        described = await stage.pool.describe(stage.app)
        assert isinstance(described, LoadFailure)
        assert "no_such_module" in described.error
        kind, error = await stage.run()
        assert kind == "load_failed"
        assert "no_such_module" in error

    play(scene)


def test_a_setup_that_raises_fails_its_job(play):
    async def scene(stage):
        kind, error = await stage.run(setup={"model": "broken"})
        assert kind == "setup_failed"
        assert "no such model" in error

    play(scene)


def test_an_edited_app_is_loaded_anew(play, apps_dir):
    async def scene(stage):
        await stage.run()
        (apps_dir / "tool" / "inference.py").write_text(APP.replace('"small"', '"edited"'))
        await until(lambda: stage.app.version_id != before)
        _, output = await stage.run()
        assert output["text"] == "edited"

    before = Catalog(EngineConfig(apps_dir=apps_dir)).resolve("tool").app.version_id
    play(scene)


def test_an_edit_that_is_taken_back_is_described_by_the_worker_that_is_still_there(play, apps_dir):
    code = apps_dir / "tool" / "inference.py"

    async def scene(stage):
        before = stage.app
        first = await stage.pool.describe(before)
        code.write_text(APP.replace("async def count", "async def recount"))
        await until(lambda: stage.app != before)
        assert "recount" in (await stage.pool.describe(stage.app)).functions
        assert await stage.pool.describe(before) == first

    play(scene)


def test_cancelling_a_cooperative_call_is_quick_and_keeps_the_worker(play):
    async def scene(stage):
        _, before = await stage.run()
        task = await stage.submit(do="wait", seconds=60)
        await stage.started(task)
        began = time.monotonic()
        await stage.pool.cancel(task, grace=30)
        assert time.monotonic() - began < 1
        assert stage.witness.ends[task] == ("cancelled", None)
        assert await stage.run() == ("result", before)

    play(scene)


def test_cancelling_a_call_that_does_not_listen_kills_it_after_the_grace(play):
    async def scene(stage):
        task = await stage.submit(do="block", seconds=60)
        await stage.started(task)
        began = time.monotonic()
        await stage.pool.cancel(task, grace=0.3)
        assert 0.3 <= time.monotonic() - began < 1.3
        assert stage.witness.ends[task] == ("cancelled", None)

    play(scene)


def test_cancelling_while_the_app_is_set_up_ends_its_worker(play):
    async def scene(stage):
        task = await stage.submit(setup={"seconds": 60})
        await until(lambda: 6 in stage.witness.of(task, "status"))
        await stage.pool.cancel(task, grace=30)
        assert stage.witness.ends[task] == ("cancelled", None)

    play(scene)


def test_cancelling_a_loading_job_does_not_mislead_those_who_ask_about_the_app(play):
    async def scene(stage):
        task = await stage.submit()
        asking = asyncio.ensure_future(stage.pool.describe(stage.app))
        await asyncio.sleep(0)
        await stage.pool.cancel(task, grace=30)
        assert stage.witness.ends[task] == ("cancelled", None)
        assert isinstance(await asking, Description)

    play(scene)


def test_a_waiting_job_that_is_cancelled_is_never_started(play):
    async def scene(stage):
        running = await stage.submit(do="wait", seconds=60)
        await stage.started(running)
        waiting = await stage.submit()
        assert stage.witness.of(waiting, "status") == [2]
        await stage.pool.cancel(waiting, grace=30)
        assert stage.witness.ends[waiting] == ("cancelled", None)
        await stage.pool.cancel(running, grace=30)
        assert (await stage.run())[0] == "result"
        assert not stage.witness.of(waiting, "started")

    play(scene, max_workers=1)


def test_a_call_that_takes_too_long_is_ended_and_says_which_limit(play):
    async def scene(stage):
        kind, error = await stage.run(do="wait", seconds=60)
        assert kind == "timeout"
        assert "task_timeout_seconds" in error
        kind, error = await stage.run(do="block", seconds=60)
        assert kind == "timeout"

    play(scene, task_timeout_seconds=0.2, cancel_grace_seconds=0.2)


def test_a_setup_that_takes_too_long_is_ended_and_says_which_limit(play):
    async def scene(stage):
        kind, error = await stage.run(setup={"seconds": 60})
        assert kind == "timeout"
        assert "setup_timeout_seconds" in error

    play(scene, setup_timeout_seconds=3)


def test_many_jobs_all_end_once_and_share_the_workers(play):
    async def scene(stage):
        tasks = [await stage.submit() for _ in range(200)]
        outputs = [await stage.end(task) for task in tasks]
        assert {kind for kind, _ in outputs} == {"result"}
        assert len({output["pid"] for _, output in outputs}) <= 2

    play(scene)


def test_an_idle_worker_leaves_after_its_time(play):
    async def scene(stage):
        _, output = await stage.run()
        await until(lambda: not is_running(output["pid"]), seconds=5)
        assert (await stage.run())[1]["pid"] != output["pid"]

    play(scene, worker_idle_seconds=0.1)


def test_stopping_ends_every_worker_and_tells_nobody(play):
    async def scene(stage):
        _, idle = await stage.run()
        busy = await stage.submit(do="block", seconds=60)
        await stage.started(busy)
        other = await stage.submit(setup={"seconds": 60})
        await stage.pool.stop()
        await processes_gone(idle["pid"])
        assert busy not in stage.witness.ends
        assert other not in stage.witness.ends

    play(scene)


ENGINE = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_pool import Stage
from inferencesh_engine.config import EngineConfig

async def main():
    stage = Stage(EngineConfig(apps_dir=Path(sys.argv[2]), max_workers=2))
    _, output = await stage.run()
    task = await stage.submit(do="block", seconds=60)
    await stage.started(task)
    print(output["pid"], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_no_worker_outlives_a_killed_engine_by_two_seconds(apps_dir):
    command = [sys.executable, "-c", ENGINE, os.path.dirname(__file__), str(apps_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        worker = int(engine.stdout.readline())
        assert is_running(worker)
        engine.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        while is_running(worker):
            assert time.monotonic() - killed < 2
            time.sleep(0.01)
