"""The addresses an engine listens on, taken before it starts.

What an engine takes up at its start runs with the engine's own address: workers may fetch from there, outputs
get addresses that begin with it. Callers who come early wait in the backlog.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from .domain.problems import EngineStartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

BACKLOG = 1024

_TURNS_TO_BE_MADE = 3
"""Of the loop, from a connection's acceptance until its protocol knows of it."""


class Listening:
    """Sockets of one host and port; closed when the `with` block ends.

    Raises EngineStartError when the port is taken, or the host is none of this machine.

    Attributes:
        base_url: How programs on this machine reach whoever listens there.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            self._sockets = _bound(host, port)
        except OSError as error:
            raise EngineStartError(_reason(error, host, port)) from error
        self._servers: list[asyncio.Server] = []
        self.base_url = f"http://{_reachable(host)}:{self._sockets[0].getsockname()[1]}"

    async def serve(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Let a protocol of its own speak on each connection, those that wait included."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            self._servers.append(await loop.create_server(protocol, sock=each, backlog=BACKLOG))

    async def let_last_ones_in(self) -> None:
        """Accept nobody else, and let the protocol have those that were accepted.

        A connection that is still being made when its server closes is lost to everybody, and never closed.
        """
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            with suppress(NotImplementedError, ValueError):  # on loops of other kinds, or closed already
                loop.remove_reader(each.fileno())
        for _ in range(_TURNS_TO_BE_MADE):
            await asyncio.sleep(0)

    def close(self) -> None:
        """Let nobody else in; the port is free, even where a child process has inherited it."""
        for each in self._sockets:
            with suppress(OSError):  # it is closed already, or the system knows no such thing
                each.shutdown(socket.SHUT_RDWR)
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()

    async def wait_closed(self) -> None:
        """Return when the last connection is gone."""
        for server in self._servers:
            await server.wait_closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of the host, all on one port."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with ExitStack() as on_failure:
        bound: list[socket.socket] = []
        refused: OSError | None = None
        for family, address in dict.fromkeys((info[0], str(info[4][0])) for info in found):
            port = bound[0].getsockname()[1] if bound else port
            try:
                one = socket.create_server((address, port), family=family, backlog=BACKLOG)
            except OSError as error:
                # A name may have an address of a family that is switched off here.
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                refused = error
            else:
                bound.append(on_failure.enter_context(one))
        if refused is not None and not bound:
            raise refused
        on_failure.pop_all()
    return bound


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: choose another with --port, or 0 for a free one"
    return f"cannot listen on {host}, port {port}: {error.strerror or error}"


def _reachable(host: str) -> str:
    """The host as it stands in a URL that works on this machine."""
    if host in ("0.0.0.0", "", "::"):  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
