"""Files go with the tasks that made them, and downloads when nobody has used them for long."""

import asyncio
import os

import pytest

from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.download_cache import CACHE_FOLDER
from inline_engine import InlineWorkers, ran, running


async def made_file(engine, path):
    task = await ran(engine, do="file", path=str(path))
    return engine.files.signer.readable_file(task["output"]["file"])


async def is_there(engine, file_id):
    try:
        await engine.files.get(file_id)
    except Problem:
        return False
    return engine.files.blobs.path(file_id).exists()


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("page")
    return path


@pytest.mark.parametrize(
    ("name", "told"), [("", "is a folder; pack it into one file"), ("no", "does not exist")]
)
def test_an_output_that_is_no_file_says_what_it_is(tmp_path, name, told):
    async def check():
        async with running(tmp_path) as engine:
            task = await ran(engine, do="file", path=str(tmp_path / name))
            assert f"names a file at output.file that {told}: {tmp_path / name}" in task["error"]

    asyncio.run(check())


def test_the_files_of_a_forgotten_task_go_and_those_of_a_kept_one_stay(tmp_path, page):
    async def check():
        async with running(tmp_path, max_finished_tasks=1, output_file_seconds=0) as engine:
            first, second = await made_file(engine, page), await made_file(engine, page)
            await engine._retained.drop()
            assert [await is_there(engine, each) for each in (first, second)] == [False, True]
            assert not engine.files.blobs.path(first).exists()

    asyncio.run(check())


def test_they_stay_for_the_time_that_is_set(tmp_path, page):
    async def check():
        async with running(tmp_path, max_finished_tasks=0, output_file_seconds=3600) as engine:
            made = await made_file(engine, page)
            await engine._retained.drop()
            assert await is_there(engine, made)
            await engine.store.writer.write(an_hour_passed)
            await engine._retained.drop()
            assert not await is_there(engine, made)

    asyncio.run(check())


def an_hour_passed(db):
    db.execute("UPDATE files SET created_at = created_at - 3601")


def test_uploads_stay_whatever_becomes_of_tasks(tmp_path):
    async def content():
        yield b"content"

    async def check():
        async with running(tmp_path, max_finished_tasks=0, output_file_seconds=0) as engine:
            upload = (await engine.files.announce({"filename": "a"})).file["id"]
            await engine.files.receive(upload, content())
            await ran(engine, a=1)
            await engine._retained.drop()
            assert await is_there(engine, upload)

    asyncio.run(check())


def test_downloads_are_kept_within_their_limit_but_for_those_of_running_tasks(tmp_path):
    async def check():
        workers = InlineWorkers()
        async with running(tmp_path, workers, max_cache_bytes=4) as engine:
            cache = engine.config.state_path / CACHE_FOLDER
            cache.mkdir()
            for name in ("old", "new"):
                (cache / name).write_bytes(b"12345")
            os.utime(cache / "old", (1, 1))
            outcome = await engine.run({"app": "inline", "input": {"do": "hang"}})
            await workers.hanging.wait()
            os.utime(cache / "new")
            await engine._retained.drop()
            assert [each.name for each in cache.iterdir()] == ["new"]
            workers.gate.set()
            await engine.wait(outcome.task["id"])
            await engine._retained.drop()
            assert list(cache.iterdir()) == []

    asyncio.run(check())
