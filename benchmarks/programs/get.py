"""CPU seconds per `client.tasks.get`, through the public API alone, whichever inferencesh is installed."""

import json
import sys
import time

from inferencesh import inference

job = json.loads(sys.argv[1])
client = inference(api_key="key", base_url=job["url"])
for _ in range(job["warm_up"]):
    client.tasks.get("t1")
start = time.process_time()
for _ in range(job["calls"]):
    task = client.tasks.get("t1")
cpu = time.process_time() - start
assert task["output"] == {"response": "done"}
print(json.dumps({"cpu": cpu / job["calls"]}))
