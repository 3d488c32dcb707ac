"""Killed at every named point and at random moments: no task is lost, none doubled, no end changes."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from inferencesh_core.statuses import TERMINAL_STATUSES
from inferencesh_engine.crash_points import CRASH_POINTS, KILLED_EXIT_CODE
from inferencesh_engine.domain.listing import ListQuery
from inline_engine import InlineWorkers, running

CHILD = Path(__file__).with_name("crash_child.py")
TESTS = CHILD.parents[1]
KILLS = int(os.environ.get("INFERENCESH_TEST_KILLS", "4"))
TASKS = int(os.environ.get("INFERENCESH_TEST_TASKS", "120"))
VERBS = {"task.cancelling": "cancel", "retention.pruning": "retention"}


class Account:
    """What the children were told, over all their lives."""

    def __init__(self):
        self.ids = defaultdict(set)
        self.ends = defaultdict(set)

    def read(self, lines):
        for line in lines:
            word, *rest = line.strip().split(" ", 4)
            if word == "accepted":
                self.ids[rest[0]].add(rest[1])
            elif word == "ended":
                number, task_id, status, output = rest
                self.ids[number].add(task_id)
                self.ends[task_id].add((int(status), output))

    def check(self, tasks):
        """The promises, against every task the engine has."""
        assert all(len(ids) == 1 for ids in self.ids.values()), "one key led to two tasks"
        assert all(len(ends) == 1 for ends in self.ends.values()), "an end changed"
        accepted = {task_id for ids in self.ids.values() for task_id in ids}
        assert accepted <= tasks.keys(), "an accepted task is lost"
        for task_id, ends in self.ends.items():
            assert ends == {(tasks[task_id]["status"], json.dumps(tasks[task_id]["output"]))}
        for task in tasks.values():
            assert task["status"] in TERMINAL_STATUSES
            assert task["output"] in (task["input"], None)


def child(folder, first, last, verb="run", **environment):
    command = [sys.executable, str(CHILD), str(folder), str(first), str(last), verb]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS), **environment},
    )


async def final_state(folder):
    """Every task after a restart, once all have ended; their events are in order and without gaps."""
    workers = InlineWorkers()
    async with running(folder, workers) as engine:
        workers.gate.set()
        tasks, cursor = {}, ""
        while True:
            page = await engine.list_tasks(ListQuery(limit=100, cursor=cursor))
            for item in page.items:
                tasks[item["id"]] = await engine.wait(item["id"])
                numbers = [event.seq async for event in engine.subscribe(item["id"], after=0)]
                assert numbers == list(range(1, numbers[-1] + 1)) or numbers == [1, numbers[-1]]
            cursor = page.next_cursor
            if not cursor:
                return tasks


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if not point.startswith("recovery")])
def test_nothing_is_lost_when_the_engine_dies_at(tmp_path, point):
    account = Account()
    killed = child(tmp_path, 0, 12, VERBS.get(point, "run"), INFERENCESH_CRASH_AT=point)
    account.read(killed.communicate(timeout=60)[0].splitlines())
    assert killed.returncode == KILLED_EXIT_CODE
    account.check(asyncio.run(final_state(tmp_path)))


def test_nothing_is_lost_when_the_engine_dies_while_it_recovers(tmp_path):
    account = Account()
    first = child(tmp_path, 0, 8, "hang")
    account.read(iter(first.stdout.readline, "begun\n"))
    first.kill()
    account.read(first.communicate(timeout=60)[0].splitlines())
    for _ in range(2):
        killed = child(tmp_path, 0, 8, "hang", INFERENCESH_CRASH_AT="recovery.decided")
        killed.communicate(timeout=60)
        assert killed.returncode == KILLED_EXIT_CODE
    tasks = asyncio.run(final_state(tmp_path))
    account.check(tasks)
    assert max(task["attempt"] for task in tasks.values()) == 2


@pytest.mark.parametrize("point", ["task.result", "task.ending", "task.ended"])
def test_an_app_that_opts_out_is_never_called_twice_for_a_task(tmp_path, point):
    called = []
    for _ in range(3):
        killed = child(tmp_path, 0, 12, "once", INFERENCESH_CRASH_AT=point)
        lines = killed.communicate(timeout=60)[0].splitlines()
        called += [line for line in lines if line.startswith("called ")]
    assert killed.returncode == KILLED_EXIT_CODE
    assert called
    assert len(called) == len(set(called))


def test_random_kills_lose_nothing_and_double_nothing(tmp_path):
    account = Account()
    chance = random.Random(7)
    for _ in range(KILLS):
        running_child = child(tmp_path, 0, TASKS)
        lines = [running_child.stdout.readline() for _ in range(chance.randrange(1, TASKS))]
        running_child.kill()
        rest, _ = running_child.communicate(timeout=60)
        account.read(line for line in "".join([*lines, rest]).split("\n")[:-1] if line)
    finished, _ = (last := child(tmp_path, 0, TASKS)).communicate(timeout=120)
    account.read(finished.splitlines())
    assert last.returncode == 0
    tasks = asyncio.run(final_state(tmp_path))
    account.check(tasks)
    assert len(account.ids) == len(tasks) == TASKS
    assert all(account.ids.values())
