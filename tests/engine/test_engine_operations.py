"""The engine's verbs on tasks, with workers in this process."""

import asyncio
import json
import time

import pytest

from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.domain.listing import Filter, ListQuery, Search, Sort
from inferencesh_engine.domain.problems import Problem
from inline_engine import InlineWorkers, ran, running


def scenario(test):
    """Run an async test; it gets a started engine in a new folder."""

    def run(tmp_path):
        async def inside():
            async with running(tmp_path) as engine:
                await asyncio.wait_for(test(engine), 30)

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


async def refused(doing):
    with pytest.raises(Problem) as caught:
        await doing
    return caught.value


def statuses(task):
    return [TaskStatus(event["status"]).name.lower() for event in task["events"]]


@scenario
async def test_a_task_runs_and_every_step_is_recorded(engine):
    outcome = await engine.run({"app": "inline", "input": {"x": 1}})
    assert (outcome.task["status"], outcome.task["output"], outcome.replayed) == (1, None, False)
    task = await engine.wait(outcome.task["id"])
    assert (task["status"], task["output"]) == (10, {"x": 1})
    assert statuses(task)[:2] == ["received", "dispatched"]
    assert statuses(task)[-2:] == ["running", "completed"]
    assert await engine.task(task["id"]) == task


@scenario
async def test_a_warm_worker_takes_the_short_way(engine):
    await ran(engine)
    assert statuses(await ran(engine)) == ["received", "dispatched", "running", "completed"]


def test_a_cold_task_shows_how_it_is_prepared(tmp_path):
    async def inside():
        workers = InlineWorkers(load_seconds=0.2)
        async with running(tmp_path, workers, describe_wait_seconds=0.01) as engine:
            return statuses(await ran(engine))

    seen = asyncio.run(inside())
    assert seen[0] == "received"
    assert seen[-3:] == ["setting_up", "running", "completed"]


@scenario
async def test_a_failure_has_one_line_in_error_and_the_traceback_in_the_logs(engine):
    task = await ran(engine, do="fail", error="no more disk")
    assert (task["status"], task["error"]) == (11, "no more disk")
    logs = await engine.logs(task["id"])
    assert any("T: no more disk" in log["content"] for log in logs["logs"])
    assert (logs["task_id"], logs["status"]) == (task["id"], 11)


@scenario
async def test_an_unknown_function_is_a_404_that_names_those_there_are(engine):
    problem = await refused(engine.run({"app": "inline:paint", "input": {}}))
    assert (problem.status, problem.code) == (404, "function_not_found")
    assert "'paint'" in problem.detail
    assert "run" in problem.detail


@scenario
async def test_input_that_does_not_fit_is_refused(engine):
    problem = await refused(engine.run({"app": "inline", "input": "text"}))
    assert (problem.status, problem.code) == (422, "invalid_input")


@scenario
async def test_what_does_not_exist_is_a_404(engine):
    for doing in (engine.task("nope"), engine.cancel("nope"), engine.logs("nope"), engine.delete("nope")):
        assert (await refused(doing)).status == 404
    with pytest.raises(Problem):
        engine.subscribe("nope")


@scenario
async def test_a_running_task_is_cancelled(engine):
    outcome = await engine.run({"app": "inline", "input": {"do": "hang"}})
    events = engine.subscribe(outcome.task["id"])
    while (await anext(events)).state.status is not TaskStatus.RUNNING:
        pass
    task = await engine.cancel(outcome.task["id"])
    assert task["status"] == 12
    assert statuses(task)[-2:] == ["cancelling", "cancelled"]
    assert await engine.cancel(task["id"]) == task


@scenario
async def test_a_finished_task_stays_what_it_is_when_cancelled(engine):
    task = await ran(engine)
    assert (await engine.cancel(task["id"]))["status"] == 10


@scenario
async def test_a_task_for_later_waits_and_can_be_cancelled(engine):
    soon = await engine.run({"app": "inline", "input": {}, "run_at": "2999-01-01T00:00:00Z"})
    assert (await engine.task(soon.task["id"]))["status"] == 1
    task = await engine.cancel(soon.task["id"])
    assert (task["status"], task["run_at"]) == (12, "2999-01-01T00:00:00.000000Z")


@scenario
async def test_a_task_starts_at_its_time(engine):
    at = time.time() + 0.2
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f"{at % 1:.3f}"[1:] + "Z"
    outcome = await engine.run({"app": "inline", "input": {}, "run_at": text})
    task = await engine.wait(outcome.task["id"])
    assert task["status"] == 10
    assert time.time() >= at - 0.001


@scenario
async def test_a_task_is_deleted_once_it_has_ended(engine):
    outcome = await engine.run({"app": "inline", "input": {"do": "hang"}})
    assert (await refused(engine.delete(outcome.task["id"]))).status == 409
    await engine.cancel(outcome.task["id"])
    await engine.delete(outcome.task["id"])
    assert (await refused(engine.task(outcome.task["id"]))).status == 404


def key(name, fingerprint="f1", scope="caller:run"):
    return Idempotency(name, scope, fingerprint)


@scenario
async def test_a_repeated_key_gives_the_first_answer_again(engine):
    body = {"app": "inline", "input": {"x": 1}}
    first = await engine.run(body, idempotency=key("k"))
    await engine.wait(first.task["id"])
    again = await engine.run(body, idempotency=key("k"))
    assert (again.task, again.replayed) == (first.task, True)
    assert (await engine.list_tasks(ListQuery())).total_items == 1


@scenario
async def test_a_key_with_another_body_is_refused(engine):
    await engine.run({"app": "inline", "input": {}}, idempotency=key("k"))
    problem = await refused(engine.run({"app": "inline", "input": {}}, idempotency=key("k", "f2")))
    assert (problem.status, problem.code) == (422, "idempotency_mismatch")


@scenario
async def test_keys_of_two_callers_do_not_meet(engine):
    body = {"app": "inline", "input": {}}
    one = await engine.run(body, idempotency=key("k"))
    two = await engine.run(body, idempotency=key("k", scope="other:run"))
    assert one.task["id"] != two.task["id"]


@scenario
async def test_of_two_requests_at_once_the_second_is_told_to_come_back(engine):
    body = {"app": "inline", "input": {}}
    answers = await asyncio.gather(
        *(engine.run(body, idempotency=key("k")) for _ in range(5)), return_exceptions=True
    )
    accepted = [answer for answer in answers if not isinstance(answer, Problem)]
    refusals = [answer for answer in answers if isinstance(answer, Problem)]
    assert len(accepted) == 1
    assert {(problem.status, problem.code) for problem in refusals} == {(409, "idempotency_in_progress")}
    assert all(problem.extra["retry_after"] for problem in refusals)


@scenario
async def test_a_refused_request_does_not_use_up_its_key(engine):
    await refused(engine.run({"app": "inline", "input": 5}, idempotency=key("k")))
    assert not (await engine.run({"app": "inline", "input": {}}, idempotency=key("k", "f2"))).replayed


@scenario
async def test_the_key_of_a_deleted_task_makes_no_second_one(engine):
    first = await engine.run({"app": "inline", "input": {}}, idempotency=key("k"))
    await engine.wait(first.task["id"])
    await engine.delete(first.task["id"])
    problem = await refused(engine.run({"app": "inline", "input": {}}, idempotency=key("k")))
    assert (problem.status, problem.code) == (410, "task_deleted")


def test_a_key_is_forgotten_after_its_time(tmp_path):
    async def inside():
        async with running(tmp_path, idempotency_hours=0.1 / 3600) as engine:
            first = await engine.run({"app": "inline", "input": {}}, idempotency=key("k"))
            await asyncio.sleep(0.11)
            second = await engine.run({"app": "inline", "input": {}}, idempotency=key("k", "f2"))
            assert first.task["id"] != second.task["id"]

    asyncio.run(inside())


def test_one_task_too_many_is_refused_and_room_is_made_by_an_end(tmp_path):
    async def inside():
        async with running(tmp_path, max_queued_tasks=2) as engine:
            body = {"app": "inline", "input": {"do": "hang"}}
            first = await engine.run(body)
            await engine.run(body)
            problem = await refused(engine.run(body))
            assert (problem.status, problem.code) == (429, "queue_full")
            await engine.cancel(first.task["id"])
            await engine.run(body)

    asyncio.run(inside())


async def seqs(engine, task_id, after=None):
    return [event.seq async for event in engine.subscribe(task_id, after=after)]


@scenario
async def test_following_gives_the_present_state_first_and_ends_with_the_last(engine):
    outcome = await engine.run({"app": "inline", "input": {"do": "stream", "steps": 5, "size": 1}})
    events = [event async for event in engine.subscribe(outcome.task["id"])]
    assert events[0].seq == 1
    assert events[-1].terminal
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert [event.seq async for event in engine.subscribe(outcome.task["id"])] == [events[-1].seq]


@scenario
async def test_resuming_gives_every_later_event_in_order(engine):
    outcome = await engine.run({"app": "inline", "input": {"do": "stream", "steps": 200, "size": 5}})
    live = seqs(engine, outcome.task["id"], after=0)
    task = await engine.wait(outcome.task["id"])
    everything = await live
    last = everything[-1]
    assert everything == list(range(1, last + 1))
    assert last > 200
    for after in (0, 1, 57, last - 1):
        assert await seqs(engine, task["id"], after=after) == list(range(after + 1, last + 1))
    assert await seqs(engine, task["id"], after=last) == [last]


@scenario
async def test_resumed_states_are_those_that_were_seen_live(engine):
    outcome = await engine.run({"app": "inline", "input": {"do": "stream", "steps": 20, "size": 5}})
    live = {event.seq: event.task async for event in engine.subscribe(outcome.task["id"])}
    replayed = {event.seq: event.task async for event in engine.subscribe(outcome.task["id"], after=0)}
    assert {seq: replayed[seq] for seq in live} == live


@scenario
async def test_a_call_that_ends_before_its_row_is_written_has_all_its_events(engine):
    await ran(engine, do="echo")
    body = {"app": "inline", "function": "texts", "input": {"do": "echo"}, "wait": True}
    outcome = await engine.run(body)
    ended = await engine.end_of(outcome)
    replayed = [event async for event in engine.subscribe(outcome.task_id, after=0)]
    assert [event.seq for event in replayed] == list(range(1, ended.seq + 1))
    assert [event.state.status for event in replayed] == [step.status for step in ended.state.steps]
    assert (replayed[0].task, replayed[-1].task) == (outcome.task, ended.task)
    count = "SELECT COUNT(*) FROM events WHERE task_id = ?"
    assert await engine.store.scan(lambda db: db.execute(count, [outcome.task_id]).fetchone()) == (0,)


@scenario
async def test_a_call_whose_row_is_written_while_it_waits_or_runs_has_all_its_events(engine):
    await ran(engine, do="echo")
    bodies = [
        {"app": "inline", "function": "texts", "input": {"do": do}, "wait": True} for do in ("hang", "echo")
    ]
    outcomes = await asyncio.gather(*(engine.run(body) for body in bodies))
    stored = [engine.store.history.get(outcome.task_id)[1] for outcome in outcomes]
    shown = [engine._ledger.live[outcome.task_id].committed.state for outcome in outcomes]
    assert stored == shown
    for outcome in outcomes:
        await engine.cancel(outcome.task_id)
        ended = await engine.end_of(outcome)
        replayed = [event async for event in engine.subscribe(outcome.task_id, after=0)]
        assert [event.seq for event in replayed] == list(range(1, ended.seq + 1))
        assert replayed[-1].task == ended.task


@scenario
async def test_calls_that_wait_for_a_worker_are_written_once_each_as_they_ended(engine):
    await ran(engine, do="echo")
    statements = []
    await engine.store.writer.write(lambda db: db.set_trace_callback(statements.append))
    body = {"app": "inline", "function": "texts", "input": {"do": "echo"}, "wait": True}
    outcomes = await asyncio.gather(*(engine.run(body) for _ in range(20)))
    ended = [await engine.end_of(outcome) for outcome in outcomes]
    written = [statement.partition("(")[0].split()[0] for statement in statements if "tasks" in statement]
    assert written == ["INSERT"] * 20
    stored = [engine.store.history.get(outcome.task_id) for outcome in outcomes]
    assert stored == [(event.view.spec, event.state) for event in ended]
    assert [outcome.task_id for outcome in outcomes] == await ids_in_order(engine)


async def ids_in_order(engine):
    rows = "SELECT id FROM tasks ORDER BY number"
    return [task_id for (task_id,) in await engine.store.scan(lambda db: db.execute(rows).fetchall())][1:]


def test_superseded_outputs_of_a_long_stream_are_dropped_but_the_order_holds(tmp_path):
    async def inside():
        async with running(tmp_path, max_history_bytes=2000) as engine:
            outcome = await engine.run({"app": "inline", "input": {"do": "stream", "steps": 100, "size": 90}})
            await engine.wait(outcome.task["id"])
            events = [event async for event in engine.subscribe(outcome.task["id"], after=1)]
            numbers = [event.seq for event in events]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert 1 < len(numbers) < 40
            assert events[-1].task["output"] == {"step": "last"}
            assert statuses(events[0].task)[0] == "received"
            steps = [event.task["output"]["step"] for event in events[:-1]]
            assert steps == sorted(steps)

    asyncio.run(inside())


def test_a_log_over_its_limit_is_cut_and_says_so(tmp_path):
    async def inside():
        async with running(tmp_path, max_log_bytes=100) as engine:
            exact = await ran(engine, do="log", times=10, text="012345678")
            over = await ran(engine, do="log", times=11, text="012345678")
            return [(await engine.logs(task["id"]))["logs"][0]["content"] for task in (exact, over)]

    exact, over = asyncio.run(inside())
    assert exact == "012345678\n" * 10
    assert over == "012345678\n" * 10 + "\n[the log ends here: it has reached 100 bytes]\n"


def test_states_carry_the_newest_log_text_and_the_logs_all_of_it(tmp_path):
    async def inside():
        async with running(tmp_path, max_logs_in_state_bytes=20) as engine:
            task = await ran(engine, do="log", times=10, text="012345678")
            return task, await engine.task(task["id"]), await engine.logs(task["id"])

    task, stored, logs = asyncio.run(inside())
    assert task["logs"][0]["content"] == stored["logs"][0]["content"] == "012345678\n" * 2
    assert logs["logs"][0]["content"] == "012345678\n" * 10


def test_an_output_one_byte_too_large_fails_its_task(tmp_path):
    async def inside():
        fitting = {"pad": "x" * 100}
        limit = len(json.dumps(fitting, separators=(",", ":")))
        async with running(tmp_path, max_event_bytes=limit) as engine:
            good = await engine.run({"app": "inline", "input": fitting})
            bad = await engine.run({"app": "inline", "input": {"pad": "x" * 101}})
            return await engine.wait(good.task["id"]), await engine.wait(bad.task["id"])

    good, bad = asyncio.run(inside())
    assert good["status"] == 10
    assert bad["status"] == 11
    assert "max_event_bytes" in bad["error"]


@scenario
async def test_output_files_are_stored_before_the_task_completes(engine):
    file = engine.config.state_path / "made.txt"
    file.write_text("made")
    task = await ran(engine, do="file", path=str(file))
    assert task["output"]["file"].startswith("http://127.0.0.1:9/blobs/")
    assert statuses(task)[-2:] == ["uploading", "completed"]


@scenario
async def test_an_output_file_that_is_not_there_fails_the_task(engine):
    task = await ran(engine, do="file", path="/nowhere/at/all.png")
    assert task["status"] == 11
    assert "/nowhere/at/all.png" in task["error"]


@scenario
async def test_a_dead_worker_fails_its_task_with_a_reason(engine):
    task = await ran(engine, do="die")
    assert task["status"] == 11
    assert "worker of local/inline died (exit code 1)" in task["error"]


def test_a_dead_worker_is_replaced_where_the_app_asks_for_it(tmp_path):
    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers, retry="always", max_attempts=3) as engine:
            return await ran(engine, do="die"), [call["attempt"] for call in workers.calls]

    task, attempts = asyncio.run(inside())
    assert (task["status"], task["attempt"], attempts) == (11, 3, [1, 2, 3])


@scenario
async def test_lists_page_through_everything_in_both_directions(engine):
    made = [(await ran(engine, n=n))["id"] for n in range(7)]
    query = {"limit": 3}
    forward, cursor = [], ""
    while True:
        page = (await engine.list_tasks(ListQuery(**query, cursor=cursor))).to_dto()
        assert page["total_items"] == 7
        forward.append([item["id"] for item in page["items"]])
        if not page["has_next"]:
            break
        cursor, last = page["next_cursor"], page
    assert [*forward[0], *forward[1], *forward[2]] == made[::-1]
    back = await engine.list_tasks(ListQuery(**query, cursor=page["prev_cursor"], backward=True))
    assert [item["id"] for item in back.items] == [item["id"] for item in last["items"]]
    second = await engine.list_tasks(ListQuery(**query, page=2))
    assert [item["id"] for item in second.items] == forward[1]


@scenario
async def test_lists_filter_sort_search_and_project(engine):
    done = await ran(engine, colour="red")
    failed = await ran(engine, do="fail", error="blue screen")
    hanging = (await engine.run({"app": "inline", "input": {"do": "hang"}})).task
    events = engine.subscribe(hanging["id"])
    while (await anext(events)).state.status is not TaskStatus.RUNNING:
        pass

    async def found(**query):
        return [item["id"] for item in (await engine.list_tasks(ListQuery(**query))).items]

    assert await found(filters=[Filter("status", "eq", 11)]) == [failed["id"]]
    assert await found(filters=[Filter("status", "eq", "running")]) == [hanging["id"]]
    assert await found(filters=[Filter("status", "in", [10, 11])]) == [failed["id"], done["id"]]
    assert await found(filters=[Filter("error", "is_empty")]) == [hanging["id"], done["id"]]
    assert await found(filters=[Filter("error", "like", "blue%")]) == [failed["id"]]
    assert await found(filters=[Filter("error", "like", "Blue%")]) == []
    assert await found(filters=[Filter("error", "ilike", "BLUE%")]) == [failed["id"]]
    assert await found(filters=[Filter("created_at", "gt", done["created_at"])]) == [
        hanging["id"],
        failed["id"],
    ]
    assert await found(search=Search("SCREEN")) == [failed["id"]]
    assert await found(sort=[Sort("created_at")]) == [done["id"], failed["id"], hanging["id"]]
    page = await engine.list_tasks(ListQuery(fields=["status"], sort=[Sort("status", descending=True)]))
    assert [item["status"] for item in page.items] == [11, 10, 7]
    assert set(page.items[0]) == {"id", "status"}


@pytest.mark.parametrize(
    "query",
    [
        {"filters": [Filter("status; DROP TABLE tasks", "eq", 1)]},
        {"filters": [Filter("status", "resembles", 1)]},
        {"filters": [Filter("status", "in", 1)]},
        {"filters": [Filter("status", "eq", [1])]},
        {"filters": [Filter("created_at", "gt", "yesterday")]},
        {"sort": [Sort("colour")]},
        {"cursor": "nonsense"},
        {"search": Search("x", fields=["colour"])},
    ],
)
def test_a_list_query_that_makes_no_sense_is_a_400(tmp_path, query):
    async def inside():
        async with running(tmp_path) as engine:
            return await refused(engine.list_tasks(ListQuery(**query)))

    assert asyncio.run(inside()).status == 400
