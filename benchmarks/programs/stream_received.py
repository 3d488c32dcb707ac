"""Events per second of the bare socket: what arrives is received, and thrown away unread."""

import json
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

END = b"0\r\n\r\n"

job = json.loads(sys.argv[1])
parts = urlsplit(job["url"])
wire = socket.create_connection((parts.hostname, parts.port))
if parts.scheme == "https":
    wire = ssl.create_default_context(cafile=job["bundle"]).wrap_socket(wire, server_hostname=parts.hostname)
buffer = bytearray(1 << 18)
view = memoryview(buffer)


def ask(path):
    wire.sendall(f"GET /tasks/{job['stream']}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    return wire.recv_into(buffer)


ask("")
start = time.perf_counter()
count, tail = ask("/stream"), b""
while count:
    tail = (tail + view[max(0, count - len(END)) : count])[-len(END) :]
    if tail == END:
        break
    count = wire.recv_into(buffer)
seconds = time.perf_counter() - start
assert tail == END
events = int(job["stream"].split("-")[1]) + 1
print(json.dumps({"events": events, "rate": events / seconds}))
