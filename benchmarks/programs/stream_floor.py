"""Events per second of the bare library: urllib3 reads, the standard library's JSON parses each line."""

import json
import sys
import time

import urllib3

job = json.loads(sys.argv[1])
pool = urllib3.PoolManager(ca_certs=job["bundle"])
pool.request("GET", f"{job['url']}/tasks/{job['stream']}")
events, parts = 0, []
start = time.perf_counter()
answer = pool.request("GET", f"{job['url']}/tasks/{job['stream']}/stream", preload_content=False)
for chunk in answer.stream():
    first, *others = chunk.split(b"\n")
    parts.append(first)
    for other in others:
        update = json.loads(b"".join(parts))
        events += 1
        parts = [other]
seconds = time.perf_counter() - start
assert update["output"] == {"response": "done"}
print(json.dumps({"events": events, "rate": events / seconds}))
