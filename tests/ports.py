"""Ports whose connections are handled byte by byte."""

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
