"""Seconds from creating a task to its function being entered, one task at a time on a warm worker."""

import http.client
import json
import statistics
import sys
import time

job = json.loads(sys.argv[1])
connection = http.client.HTTPConnection("127.0.0.1", job["port"])


def seconds():
    created = time.monotonic()
    connection.request("POST", job["path"], json.dumps(job["body"]), job["headers"])
    answer = connection.getresponse()
    task = json.loads(answer.read())
    assert answer.status == http.HTTPStatus.OK, task
    return task["output"]["entered"] - created


for _ in range(job["warm_up"]):
    seconds()
print(json.dumps({"entered p50": statistics.median(seconds() for _ in range(job["tasks"]))}))
