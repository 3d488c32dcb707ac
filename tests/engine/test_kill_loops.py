"""Engines and real workers are killed again and again: every task ends once and right, no process is left.

The figure of the promises, 20 kills in 1,000 tasks, is asked for by `INFERENCESH_TEST_KILLS=20
INFERENCESH_TEST_TASKS=1000`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from inferencesh_core.statuses import TaskStatus
from serving import Api, serving

KILLS = int(os.environ.get("INFERENCESH_TEST_KILLS", "3"))
TASKS = int(os.environ.get("INFERENCESH_TEST_TASKS", "60"))
CHILD = Path(__file__).with_name("kill_child.py")
ORPHAN_SECONDS = 2.0
PATIENCE_SECONDS = 120.0

WORK = """
import subprocess, time
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    number: int
    seconds: float = 0.01
class AppOutput(BaseAppOutput):
    square: int
class App(BaseApp):
    async def setup(self):
        self.helper = subprocess.Popen(["sleep", "1000"])
    async def run(self, input_data: AppInput) -> AppOutput:
        time.sleep(input_data.seconds)
        return AppOutput(square=input_data.number ** 2)
    async def unload(self):
        self.helper.kill()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory of the test's own, which its workers inherit: so they are recognised."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def add_worker_app(folder, retry):
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "inf.yml").write_text(f"name: work\nnamespace: test\nmetadata:\n  retry: {retry}\n")
    (folder / "work" / "inference.py").write_text(WORK)


def processes_of(home):
    """Processes that live in this home directory: workers, the spare ones too, and what they started."""
    marker = f"HOME={home}\0".encode()
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and marker in b"\0" + read(process / "environ")
    ]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def orphans_after(home, seconds):
    end = time.monotonic() + seconds
    while (left := processes_of(home)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


class Served:
    """An engine in a process of its own, started anew after each kill, on the same state."""

    def __init__(self, folder, state):
        self._folder, self._state = folder, state
        self.start()

    def start(self):
        command = [sys.executable, str(CHILD), str(self._folder), str(self._state)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        base_url, token = self.process.stdout.readline().split()
        self.api = Api(base_url, token, self._folder)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        self.process.communicate()


def persistently(served, method, path, body=None, headers=None):
    """The answer, however often the engine dies meanwhile: what a client does."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            answer = served.api.call(method, path, body, headers=headers)
        except (OSError, HTTPException):
            time.sleep(0.02)
            continue
        if answer.status == 200:
            return answer.json
        time.sleep(0.05)
    raise AssertionError(f"{method} {path} was never answered: {answer.status} {answer.content}")


def run_one(served, number):
    body = {"app": "test/work", "input": {"number": number}}
    task_id = persistently(served, "POST", "/apps/run", body, {"Idempotency-Key": f"work-{number}"})["id"]
    while (task := persistently(served, "GET", f"/tasks/{task_id}"))["status"] < TaskStatus.COMPLETED:
        time.sleep(0.02)
    return task


def test_killing_the_engine_with_real_workers_loses_and_doubles_nothing_and_leaves_no_process(home, tmp_path):
    folder = tmp_path / "apps"
    add_worker_app(folder, "always")
    served = Served(folder, tmp_path / "state")
    chance = random.Random(11)
    with ThreadPoolExecutor(8) as callers:
        futures = [callers.submit(run_one, served, number) for number in range(TASKS)]
        for kill in range(KILLS):
            due = (kill + chance.random()) / KILLS * TASKS * 0.9
            until(lambda due=due: done(futures) >= due)
            served.kill()
            assert orphans_after(home, ORPHAN_SECONDS) == []
            served.start()
        tasks = [future.result() for future in futures]
    again = [persistently(served, "GET", f"/tasks/{task['id']}") for task in tasks]
    total = served.api.call("POST", "/tasks/list", {"limit": 1}).json["total_items"]
    served.stop()
    assert [(task["status"], task["output"]["square"]) for task in tasks] == [
        (10, n * n) for n in range(TASKS)
    ]
    assert again == tasks
    assert len({task["id"] for task in tasks}) == total == TASKS
    assert orphans_after(home, ORPHAN_SECONDS) == []


def done(futures):
    return sum(future.done() for future in futures)


def until(happened):
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("retry", ["always", "never"])
def test_killing_workers_ends_or_repeats_their_tasks_as_declared_and_hangs_none(home, tmp_path, retry):
    chance = random.Random(5)
    with serving(tmp_path, max_attempts=1000) as api:
        folder = tmp_path / "apps"
        add_worker_app(folder, retry)
        running = [
            api.call("POST", "/apps/run", {"app": "test/work", "input": {"number": n, "seconds": 0.05}}).json
            for n in range(TASKS // 3)
        ]
        for _ in range(KILLS):
            until(lambda: kill_one(workers_of(home), chance))
        ended = [wait_for(api, task["id"]) for task in running]
    statuses = Counter(task["status"] for task in ended)
    assert statuses.keys() <= ({10} if retry == "always" else {10, 11})
    for task in ended:
        if task["status"] == TaskStatus.FAILED:
            assert "died" in task["error"]
    assert orphans_after(home, ORPHAN_SECONDS) == []


def kill_one(pids, chance):
    """Whether there was one to kill."""
    with suppress(ProcessLookupError, IndexError):
        os.kill(chance.choice(pids), signal.SIGKILL)
        return True
    return False


def workers_of(home):
    return [pid for pid in processes_of(home) if b"inferencesh_app" in read(Path(f"/proc/{pid}/cmdline"))]


def wait_for(api, task_id):
    until(lambda: api.call("GET", f"/tasks/{task_id}/status").json["status"] >= TaskStatus.COMPLETED)
    return api.call("GET", f"/tasks/{task_id}").json
