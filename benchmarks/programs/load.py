"""Load on one route: so many connections, one request in flight on each. Requests per second, latencies.

An answer counts when its status is 200 and its body holds the text sent; anything else is an error.
"""

import asyncio
import json
import statistics
import sys
import time


class Connection(asyncio.Protocol):
    def __init__(self, request, expected, results):
        self.request, self.expected, self.results = request, expected, results
        self.received, self.closed = b"", asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.received, self.sent = b"", time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if separator and complete(head.lower(), body):
            good = head.startswith(b"HTTP/1.1 200") and self.expected in body
            self.results.append((time.perf_counter(), time.perf_counter() - self.sent, good))
            self.send()

    def connection_lost(self, exc):  # noqa: ARG002  (asyncio passes it)
        self.results.append((time.perf_counter(), 0.0, False))
        self.closed.set_result(None)


def complete(head, body):
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])


async def load(job):
    body = json.dumps(job["body"]).encode()
    headers = {
        **job["headers"],
        "Host": f"127.0.0.1:{job['port']}",
        "Content-Type": "application/json",
        "Content-Length": len(body),
    }
    lines = [f"POST {job['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    results, loop = [], asyncio.get_running_loop()
    for _ in range(job["in_flight"]):
        connect = loop.create_connection(
            lambda: Connection(request, job["expected"].encode(), results), "127.0.0.1", job["port"]
        )
        await connect
    await asyncio.sleep(job["warm_up"])
    start = time.perf_counter()
    await asyncio.sleep(job["seconds"])
    end = time.perf_counter()
    return [(latency, good) for at, latency, good in results if start <= at < end], end - start


job = json.loads(sys.argv[1])
answers, seconds = asyncio.run(load(job))
latencies = [latency for latency, good in answers if good]
if len(latencies) < 100:
    sys.exit(f"only {len(latencies)} good answers of {len(answers)} in {seconds:.1f} s")
print(
    json.dumps(
        {
            "rate": len(latencies) / seconds,
            "p50": statistics.median(latencies),
            "p99": statistics.quantiles(latencies, n=100)[98],
            "errors": len(answers) - len(latencies),
        }
    )
)
