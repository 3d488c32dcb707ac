"""CPU seconds per GET of a task with the bare library: a requests session or a urllib3 pool, kept open."""

import json
import sys
import time

import requests
import urllib3

job = json.loads(sys.argv[1])
address = f"{job['url']}/tasks/t1"
headers = {"Authorization": "Bearer key", "X-API-Version": "2"}

if job["library"] == "requests":
    session = requests.Session()

    def get():
        return session.get(address, headers=headers, timeout=30).json()
else:
    pool = urllib3.PoolManager(ca_certs=job["bundle"], headers=headers, timeout=30)

    def get():
        return json.loads(pool.request("GET", address).data)


for _ in range(job["warm_up"]):
    get()
start = time.process_time()
for _ in range(job["calls"]):
    task = get()
cpu = time.process_time() - start
assert task["output"] == {"response": "done"}
print(json.dumps({"cpu": cpu / job["calls"]}))
