"""Many streamed tasks at once: failures, and memory for each of them, beyond what it received."""

import asyncio
import json
import resource
import sys
from pathlib import Path

from inferencesh import async_inference


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def follow(client, number, opened):
    stream = await client.tasks.run({"app": "acme/wait", "input": {"number": number}}, stream=True)
    update = {}
    async for update in stream:
        opened.put_nowait(len(json.dumps(update)))
    return update.get("output") == {"response": "done"}


async def main(job):
    client = async_inference(api_key="key", base_url=job["url"])
    await client.tasks.get("t1")
    opened = asyncio.Queue()
    before = resident_bytes()
    followers = [asyncio.create_task(follow(client, number, opened)) for number in range(job["tasks"])]
    received = [await opened.get() for _ in followers]
    growth = resident_bytes() - before - sum(received)
    await client.tasks.get("release")
    results = await asyncio.gather(*followers, return_exceptions=True)
    if hasattr(client, "aclose"):
        await client.aclose()
    return {"failures": len(results) - results.count(True), "each": growth / len(results)}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
