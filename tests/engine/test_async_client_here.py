"""The asynchronous client and the engine, in one process."""

import asyncio

import pytest

from inferencesh import async_inference
from serving import write_apps


@pytest.fixture
def folder(tmp_path):
    return write_apps(tmp_path / "apps")


def test_a_local_address_runs_apps_and_stops_the_engine_at_the_end(folder):
    async def main():
        async with async_inference(base_url=f"local:{folder}") as client:
            names = ["one", "two", "three"]
            runs = ({"app": "echo", "input": {"text": name}} for name in names)
            return {task["output"]["text"] async for task in client.tasks.run_many(runs)}

    assert asyncio.run(main()) == {"one", "two", "three"}


def test_cancel_on_exit_reaches_the_engine(folder, tmp_path):
    async def main():
        async with async_inference(base_url=f"local:{folder}") as client:
            run = {"app": "gated", "input": {"gate": str(tmp_path / "never")}}
            async with client.tasks.run(run, stream=True, cancel_on_exit=True) as updates:
                async for update in updates:
                    if update["output"]:
                        break
            return (await client.tasks.get(updates.task["id"]))["status"]

    assert asyncio.run(main()) == 12


def test_a_cancelled_upload_leaves_nothing_on_the_engine(folder, tmp_path):
    async def main():
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def on_progress(sent, _size):
            if sent > 4_000_000:
                loop.call_soon_threadsafe(begun.set)

        async with async_inference(base_url=f"local:{folder}") as client:
            upload = asyncio.create_task(client.files.upload(path, on_progress=on_progress))
            await begun.wait()
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            end = loop.time() + 10
            while kept() and loop.time() < end:  # noqa: ASYNC110 - the engine notices by itself
                await asyncio.sleep(0.01)
            assert kept() == []

    def kept():
        return [each for each in folder.rglob("*") if _is_content(each)]

    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    asyncio.run(main())


def _is_content(path):
    return path.is_file() and path.stat().st_size > 1_000_000 and not path.name.startswith("engine.db")
