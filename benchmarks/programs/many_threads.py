"""Seconds for many tasks by `client.tasks.run` in threads, and how many did not end as they should."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from inferencesh import inference

job = json.loads(sys.argv[1])
client = inference(api_key="key", base_url=job["url"])


def run(number):
    return client.tasks.run({"app": "acme/sleep", "input": {"number": number}})


start = time.perf_counter()
with ThreadPoolExecutor(job["concurrency"]) as pool:
    futures = [pool.submit(run, number) for number in range(job["tasks"])]
seconds = time.perf_counter() - start
done = sum(not future.exception() and future.result()["output"] == {"response": "done"} for future in futures)
print(json.dumps({"seconds": seconds, "failures": job["tasks"] - done}))
