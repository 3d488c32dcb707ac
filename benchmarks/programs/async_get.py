"""CPU seconds per `client.tasks.get` of the async client, so many at once, through the public API alone."""

import asyncio
import json
import sys
import time

from inferencesh import async_inference

job = json.loads(sys.argv[1])


async def calls(client, count):
    for _ in range(count):
        task = await client.tasks.get("t1")
    assert task["output"] == {"response": "done"}


async def main():
    client = async_inference(api_key="key", base_url=job["url"])
    at_once = job["at_once"]
    await asyncio.gather(*(calls(client, 1) for _ in range(at_once)))
    start = time.process_time()
    await asyncio.gather(*(calls(client, job["calls"] // at_once) for _ in range(at_once)))
    cpu = time.process_time() - start
    if hasattr(client, "aclose"):
        await client.aclose()
    return cpu / job["calls"]


print(json.dumps({"cpu": asyncio.run(main())}))
