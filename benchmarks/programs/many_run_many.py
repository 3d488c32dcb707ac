"""Seconds for many tasks by `client.tasks.run_many`, and how many did not end as they should."""

import json
import sys
import time

from inferencesh import inference

job = json.loads(sys.argv[1])
client = inference(api_key="key", base_url=job["url"])
runs = [{"app": "acme/sleep", "input": {"number": number}} for number in range(job["tasks"])]
start = time.perf_counter()
outputs = [task.get("output") for task in client.tasks.run_many(runs, concurrency=job["concurrency"])]
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "failures": job["tasks"] - outputs.count({"response": "done"})}))
