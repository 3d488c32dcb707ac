"""So many tasks a second for so long, each waited for; how many failed, and what the server holds meanwhile.

It looks once after `settle` seconds and once at the end, some seconds after the last task.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from inferencesh import async_inference

sys.path.insert(0, str(Path(__file__).parents[1]))

import processes


def held(job):
    files = [each for pid in processes.tree(job["pid"]) for each in Path(f"/proc/{pid}/fd").iterdir()]
    kinds = [os.readlink(each).partition(":")[0] for each in files]
    state = [path for path in Path(job["state"]).rglob("*") if path.is_file()]
    return {
        "memory": processes.memory_bytes(job["pid"]),
        "files": len(kinds) - kinds.count("socket"),  # connections are the caller's to keep
        "state": sum(path.stat().st_size for path in state),
    }


async def main(job):
    async with async_inference(api_key=job["key"], base_url=f"http://127.0.0.1:{job['port']}") as client:
        tasks, failures = set(), []

        def ended(task):
            tasks.discard(task)
            if task.exception():
                failures.append(task.exception())

        start, before = time.monotonic(), None
        for number in range(int(job["rate"] * job["seconds"])):
            await asyncio.sleep(start + number / job["rate"] - time.monotonic())
            tasks.add(task := asyncio.create_task(client.tasks.run(job["params"])))
            task.add_done_callback(ended)
            if before is None and number >= job["rate"] * job["settle"]:
                before = await asyncio.to_thread(held, job)
        took = time.monotonic() - start
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(job["rest"])
        after = held(job)
    growth = {f"{name} growth": after[name] - before[name] for name in after}
    return {**growth, **after, "failures": len(failures), "rate": job["rate"] * job["seconds"] / took}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
