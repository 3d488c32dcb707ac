"""Cancelling is quick and truthful: over many tasks, caught wherever they happen to be."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from inferencesh_core.statuses import TaskStatus
from serving import serving

TASKS = 60
AT_ONCE = 6
COOPERATIVE_SECONDS = 1.0
KILLED_SECONDS = 5.0

SLEEPY = """
import asyncio, time
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    seconds: float
    deaf: bool = False
class AppOutput(BaseAppOutput):
    slept: float
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        if input_data.deaf:
            time.sleep(input_data.seconds)
        else:
            await asyncio.sleep(input_data.seconds)
        return AppOutput(slept=input_data.seconds)
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    root = tmp_path_factory.mktemp("cancel")
    with serving(root, max_workers=4) as api:
        folder = root / "apps" / "sleepy"
        folder.mkdir()
        (folder / "inf.yml").write_text("name: sleepy\nnamespace: test\n")
        (folder / "inference.py").write_text(SLEEPY)
        api.run("sleepy", {"seconds": 0}, wait=True)
        yield api


def cancelled(api, given, pause):
    """What cancelling after a pause answered, and how long that took."""
    task_id = api.run("sleepy", given).json["id"]
    time.sleep(pause)
    began = time.monotonic()
    answer = api.call("POST", f"/tasks/{task_id}/cancel").json
    return answer, time.monotonic() - began


def test_cancelling_an_app_that_listens_takes_less_than_a_second_and_what_was_answered_stays(api):
    chance = random.Random(3)
    pauses = [chance.random() * 0.3 for _ in range(TASKS)]
    with ThreadPoolExecutor(AT_ONCE) as callers:
        done = list(callers.map(lambda pause: cancelled(api, {"seconds": 0.2}, pause), pauses))
    took = sorted(seconds for _, seconds in done)
    assert took[round(TASKS * 0.99) - 1] < COOPERATIVE_SECONDS, took[-5:]
    statuses = {answer["status"] for answer, _ in done}
    assert TaskStatus.CANCELLED in statuses <= {TaskStatus.CANCELLED, TaskStatus.COMPLETED}
    for answer, _ in done:
        now = api.call("GET", f"/tasks/{answer['id']}").json
        assert (now["status"], now["output"]) == (answer["status"], answer["output"])
        assert answer["cancelled"] == (answer["status"] == TaskStatus.CANCELLED)


def test_cancelling_apps_that_do_not_listen_takes_less_than_five_seconds(api):
    with ThreadPoolExecutor(4) as callers:
        done = list(callers.map(lambda _: cancelled(api, {"seconds": 600, "deaf": True}, 0.5), range(4)))
    assert {answer["status"] for answer, _ in done} == {TaskStatus.CANCELLED}
    assert max(seconds for _, seconds in done) < KILLED_SECONDS
