"""Many streamed tasks at once: failures, and resident memory for each while all are open."""

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
    async for _ in stream:
        opened.release()
    return (stream.result or {}).get("output") == {"response": "done"}


async def main(job):
    client = async_inference(api_key="key", base_url=job["url"])
    await client.tasks.get("t1")
    opened = asyncio.Semaphore(0)
    before = resident_bytes()
    followers = [asyncio.create_task(follow(client, number, opened)) for number in range(job["tasks"])]
    for _ in followers:
        await opened.acquire()
    growth = resident_bytes() - before
    await client.tasks.get("release")
    results = await asyncio.gather(*followers, return_exceptions=True)
    if hasattr(client, "aclose"):
        await client.aclose()
    return {"failures": len(results) - results.count(True), "each": growth / len(results)}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
