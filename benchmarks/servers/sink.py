"""Takes uploads and throws them away: `POST /files` names a place, `PUT` to it is read and dropped.

`python sink.py [CERTIFICATE KEY]` prints its port as the first line, serves until its input closes, and then
prints how busy it was while it received bodies (CPU seconds over seconds): a sink that was always busy would
have been the thing measured.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time

BUFFER_BYTES = 1 << 20
CREATED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
STORED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Sink:
    def __init__(self, certificate: list[str]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        if self.context:
            self.context.load_cert_chain(*certificate)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        # Linux drops what it received without copying it; OpenSSL has to decrypt it, and takes no flags.
        self.flags = 0 if self.context else getattr(socket, "MSG_TRUNC", 0)
        self.receiving_seconds = self.receiving_cpu = 0.0

    def accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.talk(connection)
        except OSError as problem:
            print(f"sink: {problem!r}", file=sys.stderr)

    def talk(self, connection: socket.socket) -> None:
        received, buffer = b"", memoryview(bytearray(BUFFER_BYTES))
        while True:
            while b"\r\n\r\n" not in received:
                size = connection.recv_into(buffer)
                if not size:
                    return
                received += buffer[:size]
            head, _, received = received.partition(b"\r\n\r\n")
            self.answer(connection, head, received, buffer)
            received = b""

    def answer(self, connection: socket.socket, head: bytes, body: bytes, buffer: memoryview) -> None:
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if b"expect: 100-continue" in head.lower():
            connection.sendall(CONTINUE)
        start, cpu = time.perf_counter(), time.thread_time()
        self.drop(connection, length - len(body), buffer)
        self.receiving_seconds += time.perf_counter() - start
        self.receiving_cpu += time.thread_time() - cpu
        connection.sendall(STORED if head.startswith(b"PUT") else self.place())

    def drop(self, connection: socket.socket, remaining: int, buffer: memoryview) -> None:
        while remaining > 0:
            size = connection.recv_into(buffer, min(remaining, BUFFER_BYTES), self.flags)
            if not size:
                raise ConnectionResetError(f"{remaining} bytes of an upload are missing")
            remaining -= size

    def place(self) -> bytes:
        file = {
            "id": "f1",
            "uri": f"{self.url}/u/f1",
            "upload_url": f"{self.url}/put/f1",
            "content_type": "",
            "size": 0,
        }
        body = json.dumps([file]).encode()
        return CREATED % (len(body), body)


def main() -> None:
    sink = Sink(sys.argv[1:])
    threading.Thread(target=sink.accept, daemon=True).start()
    print(sink.listener.getsockname()[1], flush=True)
    sys.stdin.read()
    print(json.dumps({"busy": sink.receiving_cpu / sink.receiving_seconds}), flush=True)


if __name__ == "__main__":
    main()
