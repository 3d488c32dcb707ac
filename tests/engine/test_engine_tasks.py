"""The example apps, run end to end by the engine with real worker processes."""

import asyncio
import json
import shutil
import threading
from pathlib import Path

import pytest

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.engine import Engine

APPS = Path(__file__).parents[2] / "examples" / "apps"
PATIENCE_SECONDS = 60


class Running:
    """An engine with its own loop and thread, for tests that are not coroutines."""

    def __init__(self, config):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.engine = self(self._started(config))

    async def _started(self, config):
        engine = Engine(config)
        await engine.start()
        engine.base_url = "http://127.0.0.1:9"
        return engine

    def __call__(self, doing):
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(PATIENCE_SECONDS)

    def run(self, app, given, **more):
        return self(self._run({"app": app, "input": given, **more}))

    async def _run(self, body):
        outcome = await self.engine.run(body)
        return await self.engine.wait(outcome.task["id"])

    def logs(self, task):
        return "".join(log["content"] for log in self(self.engine.logs(task["id"]))["logs"])

    def close(self):
        self(self.engine.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    root = tmp_path_factory.mktemp("engine")
    shutil.copytree(APPS, root / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    config = EngineConfig(
        apps_dir=root / "apps", state_dir=root / "state", cancel_grace_seconds=0.3, describe_wait_seconds=30
    )
    running = Running(config)
    yield running
    running.close()


def example(app):
    return json.loads((APPS / app / "input.json").read_text())


def statuses(task):
    return [TaskStatus(event["status"]).name.lower() for event in task["events"]]


def test_a_real_app_runs(engine):
    task = engine.run("echo", example("echo"))
    assert task["status"] == TaskStatus.COMPLETED, task.get("error")
    assert statuses(task)[0] == "received"
    assert statuses(task)[-2:] == ["running", "completed"]
    assert task["function"] == "run"
    assert task["worker_id"]


def test_input_that_does_not_fit_the_real_schema_is_refused_by_field(engine):
    with pytest.raises(Problem) as caught:
        engine.run("mishaps", {"how": "gracefully"})
    assert (caught.value.status, caught.value.extra["errors"][0]["field"]) == (422, "input.how")


def test_an_app_that_cannot_be_imported_fails_its_task_with_the_import_error(engine):
    task = engine.run("broken-import", {})
    assert task["status"] == TaskStatus.FAILED
    assert "import" in task["error"].lower() or "ModuleNotFoundError" in task["error"]
    assert "Traceback" in engine.logs(task)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("raise", ""),
        ("sys_exit", ""),
        ("os_exit", "died (exit code"),
        ("segfault", "died (signal 11)"),
        ("bad_output", ""),
        ("no_output", ""),
    ],
)
def test_every_mishap_ends_in_a_failure_with_one_line(engine, how, told):
    task = engine.run("mishaps", {"how": how})
    assert task["status"] == TaskStatus.FAILED
    assert task["error"]
    assert "\n" not in task["error"]
    assert told in task["error"]


def test_binary_on_standard_output_harms_nothing(engine):
    assert engine.run("mishaps", {"how": "print_binary"})["status"] == TaskStatus.COMPLETED


@pytest.mark.parametrize("how", ["never_returns", "never_yields_control"])
def test_an_app_that_never_returns_is_cancelled(engine, how):
    async def cancelled():
        outcome = await engine.engine.run({"app": "mishaps", "input": {"how": how}})
        async for event in engine.engine.subscribe(outcome.task["id"]):
            if event.state.status is TaskStatus.RUNNING:
                return await engine.engine.cancel(outcome.task["id"])
        raise AssertionError("the task never ran")

    task = engine(cancelled())
    assert task["status"] == TaskStatus.CANCELLED
    assert statuses(task)[-2:] == ["cancelling", "cancelled"]


def test_partial_outputs_are_seen_while_the_app_runs(engine):
    async def seen():
        outcome = await engine.engine.run({"app": "slow-stream", "input": example("slow-stream")})
        return [event.task async for event in engine.engine.subscribe(outcome.task["id"])]

    tasks = engine(seen())
    outputs = [json.dumps(task["output"]) for task in tasks if task["status"] == TaskStatus.RUNNING]
    assert len(set(outputs)) > 2
    assert tasks[-1]["status"] == TaskStatus.COMPLETED


def test_equal_setup_means_a_warm_worker_and_another_setup_another_one(engine):
    given = example("setup-model")
    cold = engine.run("setup-model", given)
    warm = engine.run("setup-model", given)
    assert cold["status"] == warm["status"] == TaskStatus.COMPLETED, cold.get("error")
    assert warm["worker_id"] == cold["worker_id"]
    assert "setting_up" not in statuses(warm)


def test_an_image_goes_in_and_an_image_comes_out(engine):
    given = example("thumbnail")
    task = engine.run("thumbnail", given)
    assert task["status"] == TaskStatus.COMPLETED, task.get("error")
    addresses = [value for value in task["output"].values() if isinstance(value, str) and "/blobs/" in value]
    assert addresses
    assert "uploading" in statuses(task)


def test_a_function_is_chosen_by_the_reference(engine):
    task = engine.run("mishaps:yields_nothing", {})
    assert (task["status"], task["function"]) == (TaskStatus.FAILED, "yields_nothing")
