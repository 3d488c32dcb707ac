"""The database: opening it, group commits, a full disk, and what is kept for how long."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.domain.listing import ListQuery
from inferencesh_engine.domain.problems import EngineStartError, Problem
from inferencesh_engine.store import Store
from inferencesh_engine.store.writer import Write
from inline_engine import InlineWorkers, ran, running


def started(folder):
    async def inside():
        await Store(folder, max_log_chars=100).close()

    asyncio.run(inside())


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("engine.db")}


def test_a_second_engine_on_the_same_state_is_refused_by_name(tmp_path):
    async def inside():
        first = Store(tmp_path, max_log_chars=100)
        try:
            with pytest.raises(EngineStartError, match="in use by another engine") as caught:
                Store(tmp_path, max_log_chars=100)
        finally:
            await first.close()
        return str(caught.value)

    assert str(tmp_path) in asyncio.run(inside())
    started(tmp_path)


def test_a_dead_engine_leaves_its_state_free(tmp_path):
    script = (
        "import asyncio, os, sys; from pathlib import Path; from inferencesh_engine.store import Store\n"
        "async def main():\n    Store(Path(sys.argv[1]), max_log_chars=9)\n    os._exit(9)\n"
        "asyncio.run(main())"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path], check=False).returncode == 9
    started(tmp_path)


def test_what_was_committed_before_a_death_is_found_before_the_room_left_in_the_log(tmp_path):
    script = (
        "import asyncio, os, sys; from pathlib import Path; from inferencesh_engine.store import Store\n"
        "async def main():\n"
        "    store = Store(Path(sys.argv[1]), max_log_chars=9)\n"
        "    await store.writer.write(lambda db: db.execute('CREATE TABLE last_words (word TEXT)'))\n"
        "    os._exit(9)\n"
        "asyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    log = (tmp_path / "engine.db-wal").read_bytes()
    assert len(log) >= 6 * 1024 * 1024
    assert log.endswith(bytes(1024 * 1024))
    started(tmp_path)  # it finds a log that has its size already
    with closing(sqlite3.connect(tmp_path / "engine.db")) as after:
        assert after.execute("SELECT count(*) FROM last_words").fetchone() == (0,)
        assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_database_locked_by_another_program_is_named(tmp_path):
    started(tmp_path)
    with closing(sqlite3.connect(tmp_path / "engine.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(EngineStartError, match="locked by another process") as caught:
            started(tmp_path)
    assert str(tmp_path / "engine.db") in str(caught.value)
    started(tmp_path)


@pytest.mark.parametrize("damage", ["garbage", "first page", "a page in the middle"])
def test_a_damaged_database_is_named_and_left_as_it_is(tmp_path, damage):
    started(tmp_path)
    path = tmp_path / "engine.db"
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data = bytearray(os.urandom(len(data)))
    elif damage == "first page":
        data[100:2000] = b"\xff" * 1900
    else:
        data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)
    with pytest.raises(EngineStartError, match="damaged or is no database") as caught:
        started(tmp_path)
    assert str(path) in str(caught.value)
    assert content(tmp_path)["engine.db"] == bytes(data)


def test_a_database_of_a_newer_engine_is_not_touched(tmp_path):
    started(tmp_path)
    with closing(sqlite3.connect(tmp_path / "engine.db")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(EngineStartError, match="newer engine"):
        started(tmp_path)


def test_what_waits_together_is_committed_together(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        try:
            commits = []
            await store.writer.write(lambda db: db.set_trace_callback(commits.append))
            answers = [
                store.writer.write(lambda db, n=n: db.execute("SELECT ?", (n,)).fetchone()[0])
                for n in range(300)
            ]
            assert await asyncio.gather(*answers) == list(range(300))
            return sum(statement == "COMMIT" for statement in commits)
        finally:
            await store.close()

    assert asyncio.run(inside()) < 50


def test_a_write_that_fails_fails_alone(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        try:
            good = [store.writer.write(lambda _db, n=n: n) for n in range(10)]
            bad = store.writer.write(lambda db: db.execute("INSERT INTO nowhere VALUES (1)"))
            answers = await asyncio.gather(*good[:5], bad, *good[5:], return_exceptions=True)
        finally:
            await store.close()
        return answers

    answers = asyncio.run(inside())
    assert isinstance(answers.pop(5), sqlite3.OperationalError)
    assert answers == list(range(10))


def test_while_another_process_holds_the_database_callers_are_put_off_and_results_wait(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        other = sqlite3.connect(tmp_path / "engine.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            result = asyncio.create_task(store.writer.write(lambda _db: "kept", refusable=False))
            refused = await asyncio.gather(store.writer.write(lambda _db: None), return_exceptions=True)
            waits = not result.done()
            other.execute("COMMIT")
            return refused[0], waits, await result
        finally:
            other.close()
            await store.close()

    problem, waits, result = asyncio.run(inside())
    assert (problem.status, problem.code) == (503, "storage_locked")
    assert waits
    assert result == "kept"


def test_the_log_is_brought_into_the_database_beside_commits_and_does_not_grow(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        log = tmp_path / "engine.db-wal"
        try:
            await store.writer.write(lambda db: db.execute("CREATE TABLE words (word TEXT)"))
            allocated, at_start = log.stat().st_size, log.read_bytes()[:32]
            for _ in range(30):
                await asyncio.gather(*(store.writer.write(insert_word, durable=False) for _ in range(200)))
            while log.read_bytes()[:32] == at_start:  # a log that starts anew has another salt
                await store.writer.write(insert_word)
            assert log.stat().st_size == allocated
            return await store.scan(lambda db: db.execute("SELECT COUNT(*) FROM words").fetchone()[0])
        finally:
            await store.close()

    assert asyncio.run(asyncio.wait_for(inside(), 20)) >= 6000


def insert_word(db):
    db.execute("INSERT INTO words VALUES ('word')")


def test_when_the_log_cannot_be_brought_in_commits_go_on(tmp_path, caplog):
    def fail():
        raise sqlite3.OperationalError("disk I/O error")

    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        store.writer.checkpoints._copy = fail
        try:
            await asyncio.gather(*(store.writer.write(lambda _db, n=n: n) for n in range(2000)))
            return await asyncio.wait_for(store.writer.write(lambda _db: "committed"), 10)
        finally:
            await store.close()

    assert asyncio.run(inside()) == "committed"
    assert "could not be brought in: disk I/O error" in caplog.text


def test_commits_wait_while_a_checkpoint_wants_a_moment_and_what_must_not_wait_does_not(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        writer = store.writer
        try:
            writer.checkpoints.holds = True
            waiting = asyncio.ensure_future(writer.write(lambda _db: "first"))
            await asyncio.sleep(0.01)
            held = not waiting.done()
            assert writer.write_at_once(Write(lambda _db: None, lambda *_outcome: None))
            return held, await waiting
        finally:
            await store.close()

    assert asyncio.run(inside()) == (True, "first")


def test_one_follower_that_fails_keeps_no_other_from_hearing(tmp_path, caplog):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        heard = []

        def fail(_result, _error):
            raise LookupError("gone")

        try:
            store.writer.submit(Write(lambda _db: 1, fail))
            store.writer.submit(Write(lambda _db: 2, lambda result, _error: heard.append(result)))
            await store.writer.write(lambda _db: None)
        finally:
            await store.close()
        return heard

    assert asyncio.run(inside()) == [2]
    assert "LookupError: gone" in caplog.text


def test_a_lock_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "engine.lock").write_bytes(b"no database" * 100)
    with pytest.raises(EngineStartError, match=r"engine\.lock cannot be locked"):
        asyncio.run(_opened(tmp_path))


async def _opened(folder):
    await Store(folder, max_log_chars=100).close()


def test_deferred_writes_keep_their_place_before_later_ones(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        order = []
        try:
            for n in range(5):
                store.writer.defer(Write(lambda _db, n=n: order.append(n), lambda *_outcome: None))
            await store.writer.write(lambda _db: order.append("now"))
        finally:
            await store.close()
        return order

    assert asyncio.run(inside()) == [0, 1, 2, 3, 4, "now"]


def test_a_write_behind_a_deferred_one_passes_those_that_were_deferred_later(tmp_path):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        order = []
        later = asyncio.Event()

        def write(name, settled=lambda *_outcome: None):
            return Write(lambda _db: order.append(name), settled)

        try:
            store.writer.defer(write("first"))
            place = store.writer.defer(write("second"))
            store.writer.defer(write("later", lambda *_outcome: later.set()))
            store.writer.submit(write("end"), behind=place)
            store.writer.submit(write("another end"), behind=place)
            await asyncio.wait_for(later.wait(), 10)
        finally:
            await store.close()
        return order

    assert asyncio.run(inside()) == ["first", "second", "end", "another end", "later"]


async def fill_disk(engine):
    """From now on the database has no room: SQLite says what it says on a full disk."""
    await engine.store.writer.write(use_up_free_pages)
    await engine.store.writer.write(forbid_growth)


def use_up_free_pages(db):
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    db.execute("CREATE TABLE filler (content BLOB)")
    db.execute("INSERT INTO filler VALUES (zeroblob(?))", (max(0, free - 2) * (page_bytes - 4),))


def forbid_growth(db):
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")


def make_room(engine):
    return engine.store.writer.write(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())


def test_on_a_full_disk_new_tasks_are_refused_and_nothing_is_lost(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            before = await ran(engine, n=1)
            body = {"app": "inline", "input": {"do": "echo", "pad": "x" * 30_000}}
            hanging = await engine.run({"app": "inline", "input": {"do": "hang"}})
            await fill_disk(engine)
            with pytest.raises(Problem) as caught:
                await engine.run(body, idempotency=Idempotency("k", "s", "f"))
            assert (caught.value.status, caught.value.code) == (507, "storage_full")
            assert await engine.task(before["id"]) == before
            await make_room(engine)
            again = await engine.run(body, idempotency=Idempotency("k", "s", "f"))
            assert not again.replayed
            assert (await engine.wait(again.task["id"]))["status"] == 10
            assert (await engine.cancel(hanging.task["id"]))["status"] == 12

    asyncio.run(inside())


def test_a_task_that_began_before_it_was_stored_is_refused_and_stopped_when_there_is_no_room(tmp_path):
    def texts(**given):
        return {"app": "inline", "function": "texts", "input": given, "wait": True}

    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            await engine.wait((await engine.run(texts())).task_id)
            await fill_disk(engine)
            with pytest.raises(Problem) as caught:
                await engine.run(texts(do="hang", pad="x" * 30_000))
            assert (caught.value.status, workers.workers[0]._alive) == (507, False)
            await make_room(engine)
            again = await engine.wait((await engine.run(texts(do="echo"))).task_id)
            known = await engine.list_tasks(ListQuery())
            strangers = "SELECT count(*) FROM events WHERE task_id NOT IN (SELECT id FROM tasks)"
            (lost,) = await engine.store.scan(lambda db: db.execute(strangers).fetchone())
            return again["status"], len(known.items), lost

    assert asyncio.run(inside()) == (10, 2, 0)


def test_a_task_that_ends_on_a_full_disk_waits_for_room_and_keeps_its_result(tmp_path):
    given = {"do": "hang", "pad": "x" * 50_000}

    async def inside():
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            outcome = await engine.run({"app": "inline", "input": given})
            await workers.hanging.wait()
            await fill_disk(engine)
            workers.gate.set()
            ended = asyncio.ensure_future(engine.wait(outcome.task["id"]))
            done, _ = await asyncio.wait([ended], timeout=0.3)
            assert not done
            await make_room(engine)
            return await asyncio.wait_for(ended, 10)

    task = asyncio.run(inside())
    assert (task["status"], task["output"]) == (10, given)


def test_the_database_stays_flat_while_tasks_come_and_go(tmp_path):
    async def inside():
        settings = {"max_finished_tasks": 50, "event_retention_seconds": 0, "idempotency_hours": 0}
        sizes = []
        async with running(tmp_path, **settings) as engine:
            for _ in range(4):
                for n in range(100):
                    outcome = await engine.run(
                        {"app": "inline", "input": {"pad": "x" * 500}},
                        idempotency=Idempotency(f"k{len(sizes)}.{n}", "s", "f"),
                    )
                    await engine.wait(outcome.task["id"])
                await asyncio.sleep(0.01)
                await engine._retained.drop()
                sizes.append(await engine.store.scan(row_counts))
            total = (await engine.list_tasks(ListQuery())).total_items
        return sizes, total

    sizes, total = asyncio.run(inside())
    assert total == 50
    assert sizes == [{"tasks": 50, "events": 0, "idempotency_keys": 0}] * 4


def row_counts(db):
    tables = ("tasks", "events", "idempotency_keys")
    return {name: db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}


async def no_events(engine):
    while (await engine.store.scan(row_counts))["events"]:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def test_events_of_finished_tasks_go_by_themselves_and_the_end_stays(tmp_path):
    async def inside():
        async with running(tmp_path, event_retention_seconds=0.1) as engine:
            task = await ran(engine, do="stream", steps=5, size=5)
            await asyncio.wait_for(no_events(engine), 10)
            events = [event async for event in engine.subscribe(task["id"], after=1)]
            return task, [event.task for event in events]

    task, followed = asyncio.run(inside())
    assert followed == [task]


def test_the_state_folder_is_for_its_owner_only(tmp_path):
    async def inside():
        async with running(tmp_path) as engine:
            return engine.config.state_path.stat().st_mode & 0o777

    assert asyncio.run(inside()) == 0o700


def mode_once_started(tmp_path):
    async def inside():
        async with running(tmp_path):
            pass

    asyncio.run(inside())
    return (tmp_path / "state").stat().st_mode & 0o777


@pytest.mark.parametrize("content", [None, "engine.db", "engine.lock"])
def test_a_state_folder_that_is_empty_or_the_engines_is_closed_to_others(tmp_path, content):
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    if content is not None:
        (state / content).touch()
    assert mode_once_started(tmp_path) == 0o700


def test_a_folder_used_for_other_things_keeps_its_mode_and_is_refused_when_others_can_read_it(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o1777)
    (state / "something").touch()
    with pytest.raises(EngineStartError, match=r"state is open to other users .* chmod 700"):
        mode_once_started(tmp_path)
    assert state.stat().st_mode & 0o7777 == 0o1777
    assert [entry.name for entry in state.iterdir()] == ["something"]
    state.chmod(0o700)
    assert mode_once_started(tmp_path) == 0o700


def test_a_missing_apps_folder_is_named(tmp_path):
    from inferencesh_engine.config import EngineConfig
    from inferencesh_engine.engine import Engine

    with pytest.raises(EngineStartError, match="nowhere is not a folder"):
        asyncio.run(Engine(EngineConfig(apps_dir=tmp_path / "nowhere")).start())
    assert list(tmp_path.iterdir()) == []


async def chunks(*content):
    for chunk in content:
        yield chunk


def test_a_file_that_was_announced_and_never_uploaded_is_forgotten_when_it_cannot_be_any_more(tmp_path):
    async def inside():
        async with running(tmp_path, upload_url_seconds=0) as engine:
            files = engine.files
            unsent = (await files.announce({"filename": "unsent"})).file["id"]
            sent = (await files.announce({"filename": "sent"})).file["id"]
            await files.receive(sent, chunks(b"content"))
            await engine._retained.drop()
            kept = (await files.list(ListQuery())).items
            with pytest.raises(Problem) as caught:
                await files.get(unsent)
            return (
                [file["id"] for file in kept],
                sent,
                files.blobs.path(sent).read_bytes(),
                caught.value.status,
            )

    ids, sent, content, status = asyncio.run(asyncio.wait_for(inside(), 20))
    assert (ids, content, status) == ([sent], b"content", 404)


@pytest.mark.parametrize(("crowd", "transactions"), [(1, 20), (100, 1)])
def test_with_many_tasks_at_once_writes_wait_for_company(tmp_path, crowd, transactions):
    async def inside():
        store = Store(tmp_path, max_log_chars=100)
        store.writer.crowd = lambda: crowd
        begun = []
        store.writer._connection.set_trace_callback(lambda sql: begun.append(sql) if "BEGIN" in sql else None)
        try:
            writing = []
            for _ in range(20):
                writing.append(
                    asyncio.create_task(store.writer.write(sqlite3.Connection.total_changes.__get__))
                )
                await asyncio.sleep(0)  # each in a turn of the loop of its own
                if crowd == 1:
                    await writing[-1]
            await asyncio.gather(*writing)
        finally:
            await store.close()
        return len(begun)

    assert asyncio.run(inside()) == transactions
