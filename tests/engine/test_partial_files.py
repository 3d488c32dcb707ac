"""A file in a partial output is not stored yet: nobody is shown where it lies on the engine's machine."""

import asyncio
import json

import pytest

from inline_engine import InlineWorkers, running


@pytest.mark.parametrize(("uri", "shown"), [(None, None), ("https://h/a.png", "https://h/a.png")])
def test_a_partial_output_shows_no_path_and_the_final_one_the_address(tmp_path, uri, shown):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")

    async def check():
        workers = InlineWorkers()
        async with running(tmp_path, workers) as engine:
            given = {"do": "draft", "path": str(path), **({"uri": uri} if uri else {})}
            outcome = await engine.run({"app": "inline", "input": given})
            events = []
            async for event in engine.subscribe(outcome.task["id"], after=0):
                events.append(event)
                if event.task["output"] is not None:
                    workers.gate.set()
            outputs = [event.task["output"] for event in events if event.task["output"] is not None]
            assert outputs[0] == {"pages": [shown], "path": "as it is"}
            assert outputs[-1]["pages"][0].startswith(f"{engine.base_url}/blobs/")
            assert str(path) not in json.dumps(outputs)

    asyncio.run(check())
