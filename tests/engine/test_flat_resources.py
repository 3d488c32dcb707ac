"""An engine in use keeps what it holds flat, and an idle one is small and quiet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving import Api, write_apps

TASKS = int(os.environ.get("INFERENCESH_TEST_TASKS", "250"))
CHILD = Path(__file__).with_name("kill_child.py")
IDLE_MIB = 80
IDLE_SECONDS = 3.0
IDLE_SHARE = 0.005
GROWTH_MIB = 12

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Watched:
    """An engine in a process of its own, and what that process holds."""

    def __init__(self, folder):
        command = [sys.executable, str(CHILD), str(write_apps(folder / "apps")), str(folder / "state")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        base_url, token = self.process.stdout.readline().split()
        self.api = Api(base_url, token, folder)
        self._proc = Path(f"/proc/{self.process.pid}")

    def run(self, tasks):
        with ThreadPoolExecutor(4) as callers:
            statuses = set(callers.map(self._one, range(tasks)))
        assert statuses == {10}

    def _one(self, number):
        if number % 3:
            return self.api.run("echo", {"text": "x" * 1000}, wait=True).json["status"]
        task_id = self.api.run("echo", {"text": "x"}).json["id"]
        headers = {"Accept": "application/x-ndjson"}
        return (
            10
            if b'"status": 10' in self.api.call("GET", f"/tasks/{task_id}/stream", headers=headers).content
            else 0
        )

    def descriptors(self):
        """Open ones without connections, which callers may have just closed."""
        targets = [os.readlink(each) for each in (self._proc / "fd").iterdir() if each.exists()]
        return sum(not target.startswith("socket:") for target in targets)

    def status(self, name):
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def mib(self):
        return self.status("VmRSS") / 1024

    def children(self):
        return sum(len((task / "children").read_text().split()) for task in (self._proc / "task").iterdir())

    def cpu_seconds(self):
        """What all its threads have used, to the nanosecond; its own time, whatever else the machine does."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # Linux's clock of another process


@pytest.fixture
def engine(tmp_path):
    engine = Watched(tmp_path)
    yield engine
    engine.process.communicate()


def test_tasks_come_and_go_and_leave_nothing_open(engine):
    engine.run(TASKS)
    before = (engine.descriptors(), engine.status("Threads"), engine.mib())
    engine.run(2 * TASKS)
    after = (engine.descriptors(), engine.status("Threads"), engine.mib())
    assert after[0] <= before[0] + 8  # a worker more has six pipes
    assert after[1] <= before[1] + 4
    assert after[2] <= before[2] + GROWTH_MIB
    assert engine.children() <= 4


def test_an_idle_engine_is_small_and_does_nothing(engine):
    assert engine.mib() < IDLE_MIB
    engine.run(5)
    before = engine.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    assert engine.cpu_seconds() - before <= IDLE_SHARE * IDLE_SECONDS
