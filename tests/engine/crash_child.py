"""A process that runs tasks on an engine and says what it knows, until it is killed.

Usage: crash_child.py FOLDER FIRST LAST [verb]. Each line it writes is what the engine answered:
`accepted KEY ID`, `ended KEY ID STATUS OUTPUT`, `done`; with the verb `once` also `called ID`, by the app.
Keys are idempotency keys, used again by the next child.
"""

import asyncio
import json
import sys
from pathlib import Path

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.domain.problems import Problem
from inline_engine import InlineWorkers, running

AT_ONCE = 8


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def one(engine, number, verb):
    body = {"app": "inline", "input": {"number": number}}
    if verb in {"cancel", "hang"}:
        body["input"]["do"] = "hang"
    outcome = await engine.run(body, idempotency=Idempotency(f"key{number}", "child", f"body{number}"))
    task_id = outcome.task["id"]
    say("accepted", number, task_id)
    task = await (engine.cancel(task_id) if verb == "cancel" else engine.wait(task_id))
    say("ended", number, task_id, task["status"], json.dumps(task["output"]))


class Calls(list):
    """Says every call when it comes."""

    def append(self, metadata):
        say("called", metadata["task_id"])


async def until_begun(engine):
    """Return when a task's function has been entered and that is on disk."""
    while not engine._ledger.live:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    async for event in engine.subscribe(next(iter(engine._ledger.live))):
        if event.state.status is TaskStatus.RUNNING:
            return


async def main(folder, first, last, verb):
    settings = {"event_retention_seconds": 0.2} if verb == "retention" else {}
    retry = "never" if verb == "once" else None
    workers = InlineWorkers()
    workers.calls = Calls() if verb == "once" else []
    async with running(Path(folder), workers, retry=retry, **settings) as engine:
        slots = asyncio.Semaphore(AT_ONCE)

        async def limited(number):
            async with slots:
                await one(engine, number, verb)

        if verb == "hang":
            background = asyncio.create_task(until_begun(engine))
            background.add_done_callback(lambda _: say("begun"))
        await asyncio.gather(*(limited(number) for number in range(int(first), int(last))))
        if verb == "retention":
            await asyncio.sleep(10)  # killed while it does
        say("done")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:4], *(sys.argv[4:] or ["run"])))
    except Problem as problem:
        say("problem", problem.status, problem.detail)
        raise
