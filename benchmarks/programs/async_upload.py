"""Bytes per second of the async `client.files.upload` of a file, how far resident memory rose meanwhile, and
for how long, at the most, the event loop did nothing else."""

import asyncio
import json
import sys
import time
from pathlib import Path

from inferencesh import async_inference

LOOK_EVERY_SECONDS = 0.001


def memory(field):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


def forget_the_peak():
    Path("/proc/self/clear_refs").write_text("5")


async def watch_the_loop(held):
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        held.append(time.perf_counter() - before - LOOK_EVERY_SECONDS)


async def main(job):
    client = async_inference(api_key="key", base_url=job["url"])
    await client.files.upload(b"warm up")
    held = []
    watcher = asyncio.create_task(watch_the_loop(held))
    forget_the_peak()
    before = memory("VmRSS")
    start = time.perf_counter()
    await client.files.upload(job["file"])
    seconds = time.perf_counter() - start
    watcher.cancel()
    if hasattr(client, "aclose"):
        await client.aclose()
    return {"rate": job["bytes"] / seconds, "growth": memory("VmHWM") - before, "held": max(held)}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
