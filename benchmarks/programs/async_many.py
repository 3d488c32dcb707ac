"""Seconds for many tasks by `client.tasks.run`, all at once, and how many did not end as they should.

`peak` is the highest resident memory of the process, interpreter and libraries included.
"""

import asyncio
import json
import resource
import sys
import time

from inferencesh import async_inference

job = json.loads(sys.argv[1])


async def main():
    client = async_inference(api_key="key", base_url=job["url"])
    runs = [{"app": "acme/sleep", "input": {"number": number}} for number in range(job["tasks"])]
    start = time.perf_counter()
    results = await asyncio.gather(*map(client.tasks.run, runs), return_exceptions=True)
    seconds = time.perf_counter() - start
    if hasattr(client, "aclose"):
        await client.aclose()
    done = [each for each in results if isinstance(each, dict) and each.get("output") == {"response": "done"}]
    return {"seconds": seconds, "failures": job["tasks"] - len(done)}


sample = asyncio.run(main())
print(json.dumps({**sample, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
