"""A server on the loopback interface that misbehaves as told, byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from typing_extensions import Self

_TLS_HANDSHAKE = b"\x16"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Exchange:
    """One request, and what the server does about it.

    Attributes:
        method: The HTTP method.
        target: Path and query.
        headers: Names in lower case.
        body: The whole body.
        connection: Which connection of the server it came by, from 1.
    """

    def __init__(
        self, server: Loopback, sock: socket.socket, connection: int, file: BinaryIO, line: str
    ) -> None:
        self._server = server
        self._socket = sock
        self.connection = connection
        self.method, self.target, _ = line.split(" ", 2)
        self.headers = _read_headers(file)
        self.body = _read_body(file, self.headers)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def write(self, *pieces: bytes) -> None:
        """Send bytes as they are, each piece on its own."""
        for piece in pieces:
            self._socket.sendall(piece)

    def answer(self, body: Any = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.start(status, {"Content-Length": str(len(content)), **(headers or {})})
        self.write(content)

    def start(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send the header of a response: a chunked one unless ``headers`` say otherwise."""
        lines = [f"{name}: {value}" for name, value in (headers or {"Transfer-Encoding": "chunked"}).items()]
        self.write("\r\n".join([f"HTTP/1.1 {status} Scripted", *lines, "\r\n"]).encode("latin-1"))

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked response; an empty one ends it."""
        self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def wait(self, seconds: float) -> bool:
        """Do nothing for a while; whether the server is being closed."""
        return self._server.closing.wait(seconds)

    def trickle(self, data: bytes, seconds: float) -> None:
        """Send the same bytes every ``seconds``, until the server or the peer closes."""
        while not self.wait(seconds):
            self.write(data)

    def hang(self) -> None:
        """Say nothing more until the server closes."""
        self._server.closing.wait()

    def peer_left(self, seconds: float) -> bool:
        """Whether the peer closes the connection in so many seconds."""
        self._socket.settimeout(seconds)
        try:
            return not self._socket.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True

    def reset(self) -> None:
        """Break the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close()

    def close(self) -> None:
        """Close the connection; what was written still arrives."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Loopback:
    """Serves each request by calling ``handle``, every connection on a thread of its own.

    A connection is kept for the next request unless its handler closed it.

    Args:
        handle: What to do with each request.
        context: Serves TLS with it; plain HTTP without.

    Attributes:
        seen: The requests so far.
        connections: How many connections there have been.
        open_connections: How many there are now.
        closing: Set when the server is being closed.
    """

    def __init__(self, handle: Callable[[Exchange], None], context: ssl.SSLContext | None = None) -> None:
        self._handle = handle
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.seen: list[Exchange] = []
        self.connections = 0
        self.closing = threading.Event()
        self._start(self._accept)

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return len(self._sockets)

    def close(self) -> None:
        """Close every connection and wait for the handlers to end."""
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in tuple(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._sockets.add(sock)
            self.connections += 1
            self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, connection: int) -> None:
        try:
            self._serve_all(sock, connection)
        finally:
            self._sockets.discard(sock)

    def _serve_all(self, sock: socket.socket, connection: int) -> None:
        with sock, sock.makefile("rb") as file, contextlib.suppress(OSError, ValueError):
            if not self._context and sock.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            while line := file.readline().decode("latin-1"):
                exchange = Exchange(self, sock, connection, file, line)
                self.seen.append(exchange)
                self._handle(exchange)


def _read_headers(file: BinaryIO) -> dict[str, str]:
    headers = {}
    while line := file.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _read_body(file: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return file.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body
