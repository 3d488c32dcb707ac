"""Sessions as the engine keeps them, with workers in this process."""

import asyncio
import sys
from dataclasses import replace
from functools import wraps

import pytest

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.domain.listing import Filter, ListQuery
from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.executors.subprocess import SubprocessExecutor
from inferencesh_engine.plugins import ExecutorChoice, hookimpl
from inferencesh_engine.testing.executors import is_running
from inline_engine import InlineWorkers, ran, running


def scenario(**settings):
    """Run an async test; it gets a started engine and its workers."""

    def decorate(test):
        @wraps(test)
        def run(tmp_path):
            async def inside():
                workers = InlineWorkers()
                async with running(tmp_path, workers, **settings) as engine:
                    await asyncio.wait_for(test(engine, workers), 30)

            asyncio.run(inside())

        # pytest asks for what the signature names.
        del run.__wrapped__
        return run

    return decorate


async def accepted(engine, session="new", *, app="inline", more=None, **given):
    body = {"app": app, "session": session, "input": given, **(more or {})}
    return (await engine.run(body)).task


async def called(engine, session="new", **given):
    """The finished call."""
    return await engine.wait((await accepted(engine, session, **given))["id"])


async def remembered(engine, word, session="new", **more):
    return await called(engine, session, do="remember", word=word, **more)


async def hanging(engine, workers, session="new", **more):
    """A call whose function runs, and stays."""
    workers.hanging.clear()
    task = await accepted(engine, session, do="hang", **more)
    await workers.hanging.wait()
    return task


async def refused(doing):
    with pytest.raises(Problem) as caught:
        await doing
    problem = caught.value
    return problem.status, problem.extra.get("code", problem.code)


async def over(engine, session, status):
    """The session once it has this status, and is wound up."""
    while engine.sessions.get(session)["status"] != status or session in engine.sessions._live:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.005)
    return engine.sessions.get(session)


@scenario()
async def test_the_worker_of_a_session_remembers(engine, workers):
    first = await remembered(engine, "one")
    assert first["output"] == {"memory": ["one"]}
    second = await remembered(engine, "two", first["session_id"])
    assert second["output"] == {"memory": ["one", "two"]}
    assert second["worker_id"] == first["worker_id"]
    assert second["session_id"] == first["session_id"]


@scenario()
async def test_a_new_session_never_gets_a_warm_worker(engine, workers):
    used = (await ran(engine, do="remember", word="everybody's"))["worker_id"]
    sessions = [await remembered(engine, word) for word in ("a", "b")]
    assert [task["output"]["memory"] for task in sessions] == [["a"], ["b"]]
    assert len({used, *(task["worker_id"] for task in sessions)}) == 3
    assert (await ran(engine, do="remember", word="again"))["output"]["memory"] == ["everybody's", "again"]


@scenario()
async def test_the_id_is_on_the_task_from_its_first_update(engine, workers):
    task = await accepted(engine, more={"session_timeout": 7})
    assert task["session_id"].startswith("sess_")
    assert task["session_timeout"] == 7
    async for event in engine.subscribe(task["id"], after=0):
        assert event.task["session_id"] == task["session_id"]
    later = await accepted(engine, task["session_id"])
    assert later["session_id"] == task["session_id"]
    assert "session_timeout" not in later
    assert "session_id" not in await ran(engine)


@scenario()
async def test_calls_of_a_session_run_in_order_and_one_at_a_time(engine, workers):
    first = await hanging(engine, workers)
    session = first["session_id"]
    waiting = [await accepted(engine, session, do="remember", word=str(n)) for n in range(5)]
    assert {(await engine.task(task["id"]))["status"] for task in waiting} <= {1, 2}
    workers.gate.set()
    ended = [await engine.wait(task["id"]) for task in waiting]
    assert ended[-1]["output"]["memory"] == ["0", "1", "2", "3", "4"]
    begun = [call["task_id"] for call in workers.calls]
    assert begun == [first["id"], *(task["id"] for task in waiting)]


@scenario()
async def test_calls_that_arrive_together_run_in_the_order_of_their_acceptance(engine, workers):
    session = (await called(engine))["session_id"]
    tasks = await asyncio.gather(*(accepted(engine, session, do="remember", word=str(n)) for n in range(20)))
    ended = [await engine.wait(task["id"]) for task in tasks]
    assert max((task["output"]["memory"] for task in ended), key=len) == [str(n) for n in range(20)]


@scenario()
async def test_the_record_says_what_is_so(engine, workers):
    first = await remembered(engine, "one", more={"session_timeout": 30})
    session = engine.sessions.get(first["session_id"])
    assert (session["task_id"], session["app_id"]) == (first["id"], first["app_id"])
    assert session["app_version_id"] == first["app_version_id"]
    assert session["worker_id"] == first["worker_id"]
    assert (session["status"], session["ended_at"], session["idle_timeout"]) == ("active", None, 30)
    assert (session["call_count"], session["created_at"]) == (1, first["created_at"])
    assert session["expires_at"] > session["last_call_at"]
    await remembered(engine, "two", first["session_id"])
    after = engine.sessions.get(first["session_id"])
    assert after["call_count"] == 2
    assert after["last_call_at"] > session["last_call_at"]
    assert after["expires_at"] > session["expires_at"]
    assert await engine.sessions.list() == [after]


@scenario()
async def test_a_keepalive_puts_the_end_off(engine, workers):
    session = (await called(engine))["session_id"]
    before = engine.sessions.get(session)
    after = engine.sessions.keepalive(session)
    assert after["expires_at"] > before["expires_at"]
    assert after["call_count"] == 1
    assert engine.sessions.get(session) == after


@scenario()
async def test_an_idle_session_expires_and_its_worker_unloads(engine, workers):
    session = (await called(engine, more={"session_timeout": 1}))["session_id"]
    record = await over(engine, session, "expired")
    assert record["ended_at"] >= record["expires_at"]
    assert workers.workers[-1].unloaded
    assert await refused(accepted(engine, session)) == (410, "SESSION_EXPIRED")
    with pytest.raises(Problem, match="expired after 1 s"):
        engine.sessions.keepalive(session)
    await engine.sessions.end(session)
    assert engine.sessions.get(session) == record


@scenario()
async def test_a_call_that_runs_keeps_its_session_from_expiring(engine, workers):
    task = await hanging(engine, workers, more={"session_timeout": 1})
    await asyncio.sleep(1.2)  # as long as the session may be idle, and longer
    assert engine.sessions.get(task["session_id"])["status"] == "active"
    workers.gate.set()
    assert (await engine.wait(task["id"]))["status"] == 10
    assert (await called(engine, task["session_id"]))["status"] == 10


@scenario()
async def test_ending_unloads_the_worker_and_can_be_repeated(engine, workers):
    session = (await called(engine))["session_id"]
    await engine.sessions.end(session)
    assert workers.workers[-1].unloaded
    record = engine.sessions.get(session)
    assert (record["status"], record["ended_at"] is None) == ("ended", False)
    await engine.sessions.end(session)
    assert engine.sessions.get(session) == record
    assert await refused(accepted(engine, session)) == (410, "SESSION_ENDED")


@scenario()
async def test_ending_cancels_the_calls_and_they_say_why(engine, workers):
    running_call = await hanging(engine, workers)
    session = running_call["session_id"]
    waiting = [await accepted(engine, session) for _ in range(3)]
    await asyncio.gather(engine.sessions.end(session), engine.sessions.end(session))
    for task in [running_call, *waiting]:
        ended = await engine.task(task["id"])
        assert (ended["status"], ended["error"]) == (12, f"session {session} was ended")
    assert len(workers.calls) == 1
    assert engine.sessions.get(session)["call_count"] == 4


@scenario(cancel_grace_seconds=0.05)
async def test_a_call_that_will_not_stop_is_killed_with_its_session(engine, workers):
    task = await hanging(engine, workers)
    (worker,) = workers.workers
    worker.send = lambda _message: None  # it hears nothing any more
    await engine.sessions.end(task["session_id"])
    assert (await engine.task(task["id"]))["status"] == 12
    assert engine.sessions.get(task["session_id"])["status"] == "ended"


@scenario()
async def test_a_session_that_ends_while_a_call_is_being_stored_takes_it_along(engine, workers):
    session = (await called(engine))["session_id"]
    outcomes = await asyncio.gather(
        *(accepted(engine, session) for _ in range(10)), engine.sessions.end(session), return_exceptions=True
    )
    for task in outcomes[:-1]:
        if isinstance(task, Problem):
            assert task.extra["code"] == "SESSION_ENDED"
        else:
            assert (await engine.wait(task["id"]))["status"] in (10, 12)
    assert engine.sessions.get(session)["status"] == "ended"
    assert session not in engine.sessions._live


@scenario()
async def test_a_session_whose_worker_dies_in_a_call_has_lost_it(engine, workers):
    task = await called(engine, do="die")
    assert (task["status"], "died" in task["error"]) == (11, True)
    record = await over(engine, task["session_id"], "ended")
    assert record["ended_at"] is not None
    assert await refused(accepted(engine, task["session_id"])) == (500, "WORKER_LOST")
    with pytest.raises(Problem, match="lost its worker"):
        engine.sessions.keepalive(task["session_id"])
    await engine.sessions.end(task["session_id"])


@scenario()
async def test_a_session_whose_idle_worker_dies_has_lost_it(engine, workers):
    session = (await called(engine))["session_id"]
    workers.workers[-1].kill()
    await over(engine, session, "ended")
    assert await refused(accepted(engine, session)) == (500, "WORKER_LOST")


@scenario()
async def test_calls_that_wait_for_a_worker_that_dies_fail_with_it(engine, workers):
    task = await hanging(engine, workers)
    waiting = [await accepted(engine, task["session_id"]) for _ in range(3)]
    workers.workers[-1].kill()
    for call in waiting:
        ended = await engine.wait(call["id"])
        assert (ended["status"], "lost its worker" in ended["error"]) == (11, True)
    assert (await engine.wait(task["id"]))["status"] == 11


@scenario()
async def test_a_result_whose_files_are_being_stored_outlives_its_worker(engine, workers):
    made = engine.config.apps_dir / "made.bin"
    made.write_bytes(b"x" * 8_000_000)
    task = await accepted(engine, do="file", path=str(made))
    async for event in engine.subscribe(task["id"], after=0):
        if event.state.status is TaskStatus.UPLOADING:
            workers.workers[-1].kill()
    assert (await engine.task(task["id"]))["status"] == TaskStatus.COMPLETED
    await over(engine, task["session_id"], "ended")


def test_a_call_whose_worker_died_is_not_run_again_whatever_its_app_asks_for(tmp_path):
    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers, retry="always") as engine:
            return await called(engine, do="die"), workers.calls

    task, calls = asyncio.run(inside())
    assert (task["status"], task["attempt"], len(calls)) == (11, 1, 1)


@scenario()
async def test_a_failed_call_leaves_the_session_as_it_was(engine, workers):
    session = (await remembered(engine, "one"))["session_id"]
    assert (await called(engine, session, do="fail", error="no"))["status"] == 11
    assert (await remembered(engine, "two", session))["output"]["memory"] == ["one", "two"]


@scenario()
async def test_cancelling_a_call_leaves_the_session_as_it_was(engine, workers):
    session = (await remembered(engine, "one"))["session_id"]
    task = await hanging(engine, workers, session)
    assert (await engine.cancel(task["id"]))["status"] == 12
    assert (await remembered(engine, "two", session))["output"]["memory"] == ["one", "two"]


@scenario()
async def test_what_is_no_session_of_this_app_is_refused(engine, workers):
    session = (await called(engine))["session_id"]
    assert await refused(accepted(engine, "sess_nope")) == (404, "SESSION_NOT_FOUND")
    assert await refused(accepted(engine, session, app="other")) == (400, "APP_MISMATCH")
    assert await refused(accepted(engine, session, app="elsewhere/inline")) == (400, "APP_MISMATCH")
    assert await refused(accepted(engine, session, app="inline@v0000000")) == (400, "VERSION_MISMATCH")
    by_id = {"app": None, "app_id": "nope"}
    assert await refused(accepted(engine, session, more=by_id)) == (400, "APP_MISMATCH")
    by_version = {"version_id": "nope"}
    assert await refused(accepted(engine, session, more=by_version)) == (400, "VERSION_MISMATCH")
    assert await refused(accepted(engine, session, app="a b")) == (400, "invalid_request")
    assert await refused(accepted(engine, session, more={"setup": {"x": 1}})) == (422, "invalid_request")
    for asked in (engine.sessions.get, engine.sessions.keepalive):
        with pytest.raises(Problem, match="no session with id sess_nope"):
            asked("sess_nope")
    assert await refused(engine.sessions.end("sess_nope")) == (404, "SESSION_NOT_FOUND")
    assert engine.sessions.get(session)["call_count"] == 1


@scenario()
async def test_an_edited_app_goes_on_unchanged_in_its_sessions(engine, workers):
    first = await remembered(engine, "one")
    (engine.config.apps_dir / "inline" / "inference.py").write_text("# edited\n")
    later = await remembered(engine, "two", first["session_id"])
    assert later["output"]["memory"] == ["one", "two"]
    assert later["app_version_id"] == first["app_version_id"]
    new = first
    while new["app_version_id"] == first["app_version_id"]:
        new = await called(engine)  # edits are looked for now and then
    reference = f"inline@{new['app_version_id'][:8]}"
    refusal = await refused(accepted(engine, first["session_id"], app=reference))
    assert refusal == (400, "VERSION_MISMATCH")


@scenario()
async def test_calls_are_set_up_as_the_session_was(engine, workers):
    task = await accepted(engine, more={"setup": {"size": 2}})
    await engine.wait(task["id"])
    assert workers.workers[-1].setup == {"size": 2}
    call = await accepted(engine, task["session_id"], more={"setup": {"size": 2}})
    assert (await engine.wait(call["id"]))["setup"] == {"size": 2}


@scenario(max_sessions_per_app=2)
async def test_an_app_has_no_more_sessions_than_it_may(engine, workers):
    sessions = [(await called(engine))["session_id"] for _ in range(2)]
    with pytest.raises(Problem, match="max_sessions_per_app") as caught:
        await accepted(engine)
    assert (caught.value.status, caught.value.code) == (429, "session_limit")
    assert 50 < caught.value.extra["retry_after"] <= 60
    await engine.sessions.end(sessions[0])
    assert (await called(engine))["status"] == 10
    assert (await ran(engine))["status"] == 10


@scenario(max_sessions=1)
async def test_an_engine_has_no_more_sessions_than_it_may(engine, workers):
    await called(engine)
    assert (await refused(accepted(engine)))[0] == 429


@scenario()
async def test_a_repeated_request_is_a_call_of_the_same_session(engine, workers):
    once = Idempotency("key", "caller:run", "print")
    body = {"app": "inline", "session": "new", "input": {}}
    first = await engine.run(body, idempotency=once)
    again = await engine.run(body, idempotency=once)
    assert again.replayed
    assert again.task["session_id"] == first.task["session_id"]
    assert len(await engine.sessions.list()) == 1


@scenario(max_ended_sessions=2)
async def test_only_the_newest_records_of_the_past_are_kept(engine, workers):
    active = (await called(engine))["session_id"]
    ended = [(await called(engine))["session_id"] for _ in range(4)]
    for session in ended:
        await engine.sessions.end(session)
    await engine._retained.drop()
    kept = [record["id"] for record in await engine.sessions.list()]
    assert kept == [ended[3], ended[2], active]


@scenario()
async def test_tasks_are_found_by_their_session(engine, workers):
    first = await called(engine)
    await ran(engine)
    second = await called(engine, first["session_id"])
    wanted = Filter("session_id", "eq", first["session_id"])
    page = await engine.list_tasks(ListQuery(filters=(wanted,)))
    assert {item["id"] for item in page.items} == {first["id"], second["id"]}


def test_a_restart_keeps_sessions_as_records_without_memory(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            ended, active = [(await called(engine))["session_id"] for _ in range(2)]
            await engine.sessions.end(ended)
        async with running(tmp_path) as engine:
            records = await engine.sessions.list()
            assert [(each["id"], each["status"]) for each in records] == [(active, "ended"), (ended, "ended")]
            assert all(each["ended_at"] for each in records)
            assert await refused(accepted(engine, active)) == (500, "WORKER_LOST")
            assert await refused(accepted(engine, ended)) == (410, "SESSION_ENDED")
            await engine.sessions.end(active)

    asyncio.run(inside())


def test_a_call_that_ran_when_the_engine_stopped_fails_with_its_session(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            session = (await called(engine))["session_id"]
            calls = [await accepted(engine, session, do="hang") for _ in range(2)]
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            for call in calls:
                task = await engine.wait(call["id"])
                assert (task["status"], "lost its worker" in task["error"]) == (11, True)
                assert task["attempt"] == 1
            assert workers.calls == []
            assert engine.sessions.get(session)["status"] == "ended"

    asyncio.run(inside())


def test_a_session_whose_first_call_was_not_over_starts_again_with_it(tmp_path):
    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            first = await hanging(engine, workers)
            session = first["session_id"]
            second = await accepted(engine, session, do="remember", word="after")
        workers = InlineWorkers()
        workers.gate.set()
        async with running(tmp_path, workers) as engine:
            task = await engine.wait(first["id"])
            assert (task["status"], task["attempt"], task["session_id"]) == (10, 2, session)
            assert (await engine.wait(second["id"]))["output"] == {"memory": ["after"]}
            assert (await remembered(engine, "on", session))["output"] == {"memory": ["after", "on"]}
            assert engine.sessions.get(session)["call_count"] == 3

    asyncio.run(inside())


def test_an_app_that_must_not_run_twice_loses_its_session_with_its_first_call(tmp_path):
    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers, retry="never") as engine:
            task = await hanging(engine, workers)
        async with running(tmp_path, retry="never") as engine:
            assert (await engine.task(task["id"]))["status"] == TaskStatus.FAILED
            assert await refused(accepted(engine, task["session_id"])) == (500, "WORKER_LOST")

    asyncio.run(inside())


LIGHT_WORKER = """
import json, os, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
memory = []
talk = os.fdopen(int(options["--fd-out"]), "wb", buffering=0)
def say(**message):
    talk.write(json.dumps(message).encode() + b"\\n")
functions = {"run": {"name": "run", "description": "", "input_schema": None, "output_schema": None}}
say(type="loaded", description={"functions": functions, "default_function": "run", "setup_schema": None})
for line in os.fdopen(int(options["--fd-in"]), "rb"):
    message = json.loads(line)
    if message["type"] == "setup":
        say(type="ready")
    elif message["type"] == "call":
        memory.append(message["input"]["word"])
        say(type="started", call=message["call"])
        say(type="result", call=message["call"], output={"memory": memory, "pid": os.getpid()})
    elif message["type"] == "unload":
        say(type="unloaded")
        break
"""


class LightWorkers(SubprocessExecutor):
    """Real processes of a program that starts within milliseconds, so that there can be many in a test."""

    @hookimpl
    def inferencesh_executors(self):
        return [ExecutorChoice("inline", lambda _config: self)]

    async def start(self, spec, listener):
        program = (sys.executable, "-S", "-E", "-c", LIGHT_WORKER)
        return await super().start(replace(spec, program=program), listener)


def test_two_hundred_sessions_at_once_hold_their_own_state(tmp_path):
    async def live(engine, name, all_there):
        first = await remembered(engine, name)
        session = first["session_id"]
        await all_there.wait()
        for turn in range(3):
            last = await remembered(engine, f"{name}-{turn}", session)
        assert last["output"] == {
            "memory": [name, f"{name}-0", f"{name}-1", f"{name}-2"],
            "pid": first["output"]["pid"],
        }
        return first["output"]["pid"], session

    async def inside():
        async with running(tmp_path, LightWorkers()) as engine:
            all_there = Meeting(200)
            lives = await asyncio.gather(*(live(engine, f"s{n}", all_there) for n in range(200)))
            assert len({pid for pid, _ in lives}) == 200
            assert {each["status"] for each in await engine.sessions.list()} == {"active"}
            await asyncio.gather(*(engine.sessions.end(session) for _, session in lives))
            assert not any(is_running(pid) for pid, _ in lives)

    asyncio.run(inside())


class Meeting:
    """Lets nobody go on before all are there."""

    def __init__(self, members):
        self._missing = members
        self._complete = asyncio.Event()

    async def wait(self):
        self._missing -= 1
        if not self._missing:
            self._complete.set()
        await self._complete.wait()
