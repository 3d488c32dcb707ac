"""The scripted server: what worlds of either kind send their requests to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..errors import ReadTimeoutError, TransportError
from ..http.messages import Response
from .replies import Reply, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..http.messages import Request
    from .replies import Step


class ScriptedServer(ABC):
    """Gives replies and keeps what it was asked.

    Args:
        server: Replies in order, or what gives the reply to a request.

    Attributes:
        server: What gives the reply to a request; it may be replaced.
        seen: Every request so far.
        open_streams: Streams that are open now.
    """

    def __init__(self, server: Iterable[Reply] | Callable[[Seen], Reply]) -> None:
        self.server = server if callable(server) else _script(server)
        self.seen: list[Seen] = []
        self.open_streams = 0

    @property
    @abstractmethod
    def now(self) -> float:
        """The time, in seconds from the start."""

    def exchange(self, request: Request) -> tuple[float, Response | Exception]:
        """Give how long a whole answer takes, and it or the error in its place."""
        reply = self._reply_to(request)
        seconds, body, error = reply.after, b"", reply.error
        for step in () if error else reply.steps:
            if isinstance(step, Exception):
                error = step
                break
            if isinstance(step, bytes):
                body += step
            else:
                seconds += step
        if seconds > request.read_timeout:
            return request.read_timeout, _no_answer(request)
        return seconds, error or Response(reply.status, dict(reply.headers), body)

    def opening(self, request: Request) -> tuple[float, Body | Exception]:
        """Give how long the header of an answer takes, and the answer or the error in its place."""
        reply = self._reply_to(request)
        if reply.after > request.read_timeout:
            return request.read_timeout, _no_answer(request)
        return reply.after, reply.error or Body(self, reply)

    def _reply_to(self, request: Request) -> Reply:
        seen = Seen(request, _body_of(request), self.now)
        self.seen.append(seen)
        return self.server(seen)


class Body:
    """A response as it arrives.

    Args:
        server: Whose response it is.
        reply: What it says.
    """

    def __init__(self, server: ScriptedServer, reply: Reply) -> None:
        self.status = reply.status
        self.headers = dict(reply.headers)
        self._server = server
        self._steps: Iterator[Step] = iter(reply.steps)
        self._is_open = True
        server.open_streams += 1

    def next(self, timeout: float | None) -> tuple[float, bytes | Exception]:
        """Give how long the next bytes take, and them or the error in their place."""
        if not self._is_open:
            raise AssertionError("a flow reads from a stream that it closed")
        waited = 0.0
        for step in self._steps:
            if isinstance(step, Exception):
                return self._broken(waited, step)
            if isinstance(step, bytes):
                if step:
                    return waited, step
            else:
                waited += step
                if timeout is not None and waited > timeout:
                    return self._broken(timeout, ReadTimeoutError("scripted: nothing came in time"))
        return waited, b""

    def close(self) -> None:
        """Release the connection."""
        if self._is_open:
            self._is_open = False
            self._server.open_streams -= 1

    def _broken(self, seconds: float, error: Exception) -> tuple[float, Exception]:
        self._steps = iter([TransportError("scripted: the stream is of no further use")])
        return seconds, error


def _script(replies: Iterable[Reply]) -> Callable[[Seen], Reply]:
    remaining = iter(replies)

    def reply(seen: Seen) -> Reply:
        found = next(remaining, None)
        if found is None:
            raise AssertionError(f"the script is at its end, yet there comes {seen.line}")
        return found

    return reply


def _body_of(request: Request) -> bytes:
    body = request.body
    if body is None or isinstance(body, bytes):
        return body or b""
    file = body.reader()
    try:
        return b"".join(iter(lambda: file.read(65536), b""))
    finally:
        file.close()


def _no_answer(request: Request) -> ReadTimeoutError:
    return ReadTimeoutError(f"scripted: {request!r} was not answered in time")
