"""Connections handled byte by byte: ports on the loopback interface, and sockets that are in memory."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from inferencesh_core.testing.benches import PATIENCE


@contextmanager
def taken_by(*takes):
    """A port whose connections are handed to a function each, on a thread; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:

        def accept():
            for take in takes:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(PATIENCE)
                    take(connection)

        taking = thread.submit(accept)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        taking.result(PATIENCE)


@contextmanager
def deaf():
    """A port that takes a connection and says nothing: its address, and what is set once it has heard."""
    has_heard = threading.Event()

    def take(connection):
        connection.recv(1)
        has_heard.set()
        while connection.recv(1 << 16):  # fails where the connection is left open
            pass

    with taken_by(take) as authority:
        yield authority, has_heard


class SocketInMemory(asyncio.Transport):
    """A transport that keeps what is sent, and knows whether it is read."""

    def __init__(self):
        super().__init__()
        self.sent, self.unsent, self.is_read, self.is_aborted = b"", 0, True, False

    def write(self, data):
        self.sent += data

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return self.is_aborted

    def abort(self):
        self.is_aborted = True

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True
