"""As stream.py, with the async client."""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from inferencesh import async_inference, is_terminal_status

MEMORY_EVERY = 5000


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def main(job):
    client = async_inference(api_key="key", base_url=job["url"])
    await client.tasks.get(job["stream"])  # the server prepares the recording
    events, resident = 0, []
    start = time.perf_counter()
    async with client.tasks.stream(job["stream"]) as stream:
        async for update in stream:
            events += 1
            if events % MEMORY_EVERY == 0:
                resident.append(resident_bytes())
            if is_terminal_status(update.get("status")):
                break
    seconds = time.perf_counter() - start
    assert update["output"] == {"response": "done"}
    if hasattr(client, "aclose"):
        await client.aclose()
    growth = resident[-1] - resident[0] if resident else 0
    return {"events": events, "rate": events / seconds, "growth": growth}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
