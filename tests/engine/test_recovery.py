"""A new engine takes up what an old one left, in the same process, so that both ends can be seen."""

import asyncio

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.engine import Engine
from inline_engine import InlineWorkers, crash, ran, running


async def begun(engine, **given):
    """A task whose function has been entered, which is on disk."""
    outcome = await engine.run({"app": "inline", "input": {"do": "hang", **given}})
    return await entered(engine, outcome.task["id"])


async def entered(engine, task_id):
    async for event in engine.subscribe(task_id):
        if event.state.status is TaskStatus.RUNNING:
            return task_id
    raise AssertionError("the task never ran")


async def after_restart(tmp_path, prepare, *, retry=None, **settings):
    """What `prepare` gives, the task of that id after a restart, and the calls of the new workers."""
    async with running(tmp_path, retry=retry) as engine:
        task_id = await prepare(engine)
    workers = InlineWorkers()
    async with running(tmp_path, workers, retry=retry, **settings) as engine:
        workers.gate.set()
        return await asyncio.wait_for(engine.wait(task_id), 10), workers.calls


def test_a_running_task_runs_again_as_its_next_attempt(tmp_path):
    task, calls = asyncio.run(after_restart(tmp_path, begun))
    assert (task["status"], task["attempt"]) == (10, 2)
    assert [(call["task_id"], call["attempt"]) for call in calls] == [(task["id"], 2)]
    assert [event["status"] for event in task["events"]].count(TaskStatus.QUEUED) == 1


def test_an_app_that_opts_out_is_not_run_again(tmp_path):
    task, calls = asyncio.run(after_restart(tmp_path, begun, retry="never"))
    assert task["status"] == 11
    assert "the engine restarted" in task["error"]
    assert calls == []


def test_an_engine_that_stops_and_starts_again_and_again_is_no_reason_to_give_a_task_up(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            task_id = await begun(engine)
        for _ in range(4):
            async with running(tmp_path) as engine:
                await entered(engine, task_id)
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            workers.gate.set()
            return await engine.wait(task_id)

    task = asyncio.run(inside())
    assert (task["status"], task["attempt"]) == (10, 6)


def test_attempts_come_to_an_end(tmp_path):
    async def inside():
        context = running(tmp_path)
        engine = await context.__aenter__()
        task_id = await begun(engine)
        await crash(engine)
        workers = InlineWorkers()
        async with running(tmp_path, workers, max_attempts=1) as engine:
            return await engine.wait(task_id), workers.calls

    task, calls = asyncio.run(inside())
    assert task["status"] == 11
    assert "not tried more than 1 times" in task["error"]
    assert calls == []


def test_a_task_whose_app_is_gone_fails_and_says_so(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            task_id = await begun(engine)
            config = engine.config
        (config.apps_dir / "inline" / "inf.yml").write_text("name: renamed\n")
        async with Engine(config, plugins=[InlineWorkers()]) as engine:
            return await engine.wait(task_id)

    task = asyncio.run(inside())
    assert task["status"] == 11
    assert task["error"] == "app inline is gone since the task was accepted"


def test_waiting_tasks_are_submitted_again_in_their_order(tmp_path):
    async def inside():
        async with running(tmp_path, max_workers=1) as engine:
            await begun(engine)
            waiting = [await engine.run({"app": "inline", "input": {"n": n}}) for n in range(5)]
        workers = InlineWorkers()
        workers.gate.set()
        async with running(tmp_path, workers, max_workers=1) as engine:
            for outcome in waiting:
                await engine.wait(outcome.task["id"])
        return [outcome.task["id"] for outcome in waiting], [call["task_id"] for call in workers.calls]

    ids, called = asyncio.run(inside())
    assert called[1:] == ids


def test_a_task_for_later_still_waits_after_a_restart(tmp_path):
    async def inside():
        body = {"app": "inline", "input": {}, "run_at": "2999-01-01T00:00:00Z"}
        async with running(tmp_path) as engine:
            task_id = (await engine.run(body)).task["id"]
        async with running(tmp_path) as engine:
            return await engine.task(task_id), await engine.cancel(task_id)

    waiting, cancelled = asyncio.run(inside())
    assert (waiting["status"], cancelled["status"]) == (1, 12)


def test_ends_keys_logs_and_events_survive_a_restart(tmp_path):
    async def inside():
        key = Idempotency("k", "s", "f")
        body = {"app": "inline", "input": {"do": "log", "times": 3, "text": "line"}}
        async with running(tmp_path) as engine:
            first = await engine.run(body, idempotency=key)
            ended = await engine.wait(first.task["id"])
            logs = await engine.logs(ended["id"])
            events = [event.task async for event in engine.subscribe(ended["id"], after=0)]
        async with running(tmp_path) as engine:
            again = await engine.run(body, idempotency=key)
            assert again.replayed
            assert again.task == first.task
            assert await engine.task(ended["id"]) == ended
            assert await engine.logs(ended["id"]) == logs
            assert [event.task async for event in engine.subscribe(ended["id"], after=0)] == events

    asyncio.run(inside())


def test_a_late_word_about_an_old_attempt_is_dropped(tmp_path):
    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers, retry="always") as engine:
            task_id = await begun(engine)
            reports = engine.pool._observer
            reports.on_failed(task_id, 1, "worker_died", "worker died", "")
            reports.on_result(task_id, 1, {"late": True})
            reports.on_failed(task_id, 1, "exception", "late", "")
            reports.on_status(task_id, 1, TaskStatus.SETTING_UP)
            task = await engine.task(task_id)
            assert task["status"] not in (10, 11)
            assert engine._ledger.live[task_id].state.attempt == 2
            return await engine.cancel(task_id, force=True)

    task = asyncio.run(inside())
    assert task["output"] is None


def test_followers_and_waiters_are_released_when_the_engine_stops(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            task_id = await begun(engine)
            waiting = asyncio.ensure_future(engine.wait(task_id))
            following = asyncio.ensure_future(drain(engine.subscribe(task_id)))
            await asyncio.sleep(0)
        done, _ = await asyncio.wait([waiting, following], timeout=5)
        return len(done), waiting.cancelled(), following.result()[-1].terminal

    assert asyncio.run(inside()) == (2, True, False)


async def drain(events):
    return [event async for event in events]


def test_a_finished_task_runs_no_more_after_a_restart(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            await ran(engine, n=1)
        workers = InlineWorkers()
        async with running(tmp_path, workers):
            await asyncio.sleep(0.05)
        return workers.calls

    assert asyncio.run(inside()) == []
