"""A scripted world: runs flows without sockets, threads or waiting.

Answers are scripted, requests are recorded, and the clock jumps to whatever happens next, so a test of half
an hour of trouble takes a millisecond and always goes the same way::

    world = World([cut(), answer({"id": "t1", "status": 10})])
    assert world.client().tasks.get("t1")["status"] == 10
    assert [seen.line for seen in world.seen] == ["GET /tasks/t1", "GET /tasks/t1"]

The server is a list of replies, taken in order, or a function from what it `Seen` to its `Reply`; such a
function may look at `World.now`.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from ..client import Inference
from ..errors import ReadTimeoutError, TransportError
from ..flow.driver import SyncDriver
from ..flow.effects import (
    Call,
    CloseStream,
    Emit,
    Fork,
    Group,
    Join,
    Now,
    OpenedStream,
    OpenStream,
    Outcome,
    Read,
    Send,
    Sleep,
)
from ..http.messages import Response
from .replies import Reply, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from typing_extensions import Unpack

    from ..assembly import ClientOptions
    from ..flow.effects import Effect, Feed, Flow
    from ..http.messages import Request
    from .replies import Step

R = TypeVar("R")
T = TypeVar("T")

KEY = "scripted-key"
BASE_URL = "https://api.scripted.test"


class World(SyncDriver):
    """Runs flows against a scripted server; flows side by side share its clock.

    Args:
        server: Replies in order, or what gives the reply to a request.
        luck: What every random number from 0 to 1 is; 1 makes each pause as long as it can be.

    Attributes:
        server: What gives the reply to a request; it may be replaced.
        now: The time, in seconds from the start.
        seen: Every request so far.
        open_streams: Streams that are open now.
    """

    def __init__(self, server: Iterable[Reply] | Callable[[Seen], Reply], luck: float = 1.0) -> None:
        self.server = server if callable(server) else _script(server)
        self._luck = luck
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.now = 0.0
        self.seen: list[Seen] = []
        self.open_streams = 0

    def client(
        self, api_key: str = KEY, base_url: str = BASE_URL, **options: Unpack[ClientOptions]
    ) -> Inference:
        """Give a client whose every call happens in this world."""
        return _WorldClient(self, self._luck, api_key, base_url, **options)

    def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end."""
        steps: Generator[Any, None, R] = self.iterate(flow)
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise TypeError("this operation emits values: iterate it instead of running it")

    def iterate(self, feed: Feed[T, R]) -> Generator[T, None, R]:
        """Give what a feed emits; time stands still while nobody iterates."""
        process = _Process(self, feed)
        process.wake()
        try:
            while process.outcome is None:
                self._happen()
                while process.emitted:
                    yield process.emitted.popleft()
                    process.wake()
        finally:
            process.end()
        return process.outcome.value  # type: ignore[no-any-return]

    def run_all(self, flows: Iterable[Flow[R]]) -> list[Outcome[R]]:
        """Run flows side by side, all starting now, and give how each ended, in their order."""
        processes = [_Process(self, flow) for flow in flows]
        for process in processes:
            process.wake()
        while any(process.outcome is None for process in processes):
            self._happen()
        return [process.outcome for process in processes if process.outcome is not None]

    def close(self) -> None:
        """Do nothing: there are no connections to close."""

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen ``seconds`` from now."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), event))

    def reply_to(self, request: Request) -> Reply:
        """Give the server's reply to a request that arrives now."""
        seen = Seen(request, _body_of(request), self.now)
        self.seen.append(seen)
        return self.server(seen)

    def _happen(self) -> None:
        if not self._agenda or self._agenda[0][0] == inf:
            raise AssertionError("the scripted world stands still: a flow waits for what never comes")
        self.now, _, event = heapq.heappop(self._agenda)
        event()


class _WorldClient(Inference):
    """A client driven by a world."""

    def __init__(
        self, world: World, luck: float, api_key: str, base_url: str, **options: Unpack[ClientOptions]
    ) -> None:
        options.setdefault("transport", world)
        super().__init__(api_key, base_url, **options)
        self._driver = world
        self.context.api.luck = lambda: luck


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
    file = body.open()
    try:
        return b"".join(iter(lambda: file.read(65536), b""))
    finally:
        file.close()


class _Process:
    """One flow on its way through the world, and what it opened."""

    def __init__(
        self, world: World, feed: Feed[Any, Any], group: _Group | None = None, index: int = 0
    ) -> None:
        self.world = world
        self.outcome: Outcome[Any] | None = None
        self.emitted: deque[Any] = deque()
        self._feed = feed
        self._group = group
        self._index = index
        self._streams: list[OpenedStream] = []
        self._groups: list[_Group] = []

    def wake(self, value: Any = None, error: Exception | None = None, after: float = 0.0) -> None:
        """Give the flow what it waited for, ``after`` seconds from now."""
        self.world.after(after, lambda: self._go_on(value, error))

    def end(self) -> None:
        """Drop the flow and close what it opened."""
        self._feed.close()
        for stream in self._streams:
            stream.body.close()
        for group in self._groups:
            group.close()
        self._streams, self._groups = [], []

    def _go_on(self, value: Any, error: Exception | None) -> None:
        if self.outcome is not None:
            return
        try:
            step = self._feed.send(value) if error is None else self._feed.throw(error)
        except StopIteration as stop:
            self._conclude(Outcome(self._index, stop.value))
        except Exception as problem:  # noqa: BLE001 - an outcome carries any failure
            self._conclude(Outcome(self._index, error=problem))
        else:
            self._perform(step)

    def _conclude(self, outcome: Outcome[Any]) -> None:
        self.outcome = outcome
        self.end()
        if self._group is not None:
            self._group.ended(outcome)

    def _perform(self, step: Effect | Emit[Any]) -> None:
        if isinstance(step, Emit):
            self.emitted.append(step.value)
            return
        try:
            _PERFORM[type(step)](self, step)
        except Exception as error:  # noqa: BLE001 - whatever the world raises is the flow's to judge
            self.wake(error=error)

    def send(self, effect: Send) -> None:
        request = effect.request
        reply = self.world.reply_to(request)
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
            seconds, error = request.read_timeout, _no_answer(request)
        self.wake(Response(reply.status, dict(reply.headers), body), error, seconds)

    def open_stream(self, effect: OpenStream) -> None:
        request = effect.request
        reply = self.world.reply_to(request)
        if reply.after > request.read_timeout:
            self.wake(error=_no_answer(request), after=request.read_timeout)
        elif reply.error is not None:
            self.wake(error=reply.error, after=reply.after)
        else:
            stream = OpenedStream(reply.status, dict(reply.headers), _Body(self.world, reply.steps))
            self._streams.append(stream)
            self.wake(stream, after=reply.after)

    def read(self, effect: Read) -> None:
        seconds, outcome = effect.stream.body.next(effect.timeout)
        if isinstance(outcome, bytes):
            self.wake(outcome, after=seconds)
        else:
            self.wake(error=outcome, after=seconds)

    def close_stream(self, effect: CloseStream) -> None:
        self._streams.remove(effect.stream)
        effect.stream.body.close()
        self.wake()

    def sleep(self, effect: Sleep) -> None:
        self.wake(after=effect.seconds)

    def now(self, _effect: Now) -> None:
        self.wake(self.world.now)

    def call(self, effect: Call) -> None:
        result = effect.function(*effect.arguments)
        self.wake(_awaited(result) if hasattr(result, "__await__") else result)

    def fork(self, effect: Fork) -> None:
        group = _Group(self.world, effect)
        self._groups.append(group)
        self.wake(group)

    def join(self, effect: Join) -> None:
        effect.group.join(self)  # type: ignore[attr-defined]  # only a world's own group comes here


_PERFORM: dict[type[Effect], Callable[[_Process, Any], None]] = {
    Send: _Process.send,
    OpenStream: _Process.open_stream,
    Read: _Process.read,
    CloseStream: _Process.close_stream,
    Sleep: _Process.sleep,
    Now: _Process.now,
    Call: _Process.call,
    Fork: _Process.fork,
    Join: _Process.join,
}


class _Body:
    """The body of a reply as it arrives."""

    def __init__(self, world: World, steps: Iterable[Step]) -> None:
        self._world = world
        self._steps: Iterator[Step] = iter(steps)
        self._is_open = True
        world.open_streams += 1

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
        if self._is_open:
            self._is_open = False
            self._world.open_streams -= 1

    def _broken(self, seconds: float, error: Exception) -> tuple[float, Exception]:
        self._steps = iter([TransportError("scripted: the stream is of no further use")])
        return seconds, error


class _Group(Group[Any]):
    """Flows side by side in one world, started as the drivers do: as earlier ones are joined."""

    def __init__(self, world: World, effect: Fork) -> None:
        self._world = world
        self._flows = enumerate(effect.flows)
        self._limit = effect.limit
        self._unjoined = 0
        self._running: dict[int, _Process] = {}
        self._done: deque[Outcome[Any]] = deque()
        self._waiting: _Process | None = None

    def join(self, process: _Process) -> None:
        self._start_more()
        if self._unjoined and not self._done:
            self._waiting = process
            return
        self._hand_to(process)

    def ended(self, outcome: Outcome[Any]) -> None:
        del self._running[outcome.index]
        self._done.append(outcome)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._hand_to(waiting)

    def close(self) -> None:
        for process in self._running.values():
            process.outcome = Outcome(0)
            process.end()

    def _hand_to(self, process: _Process) -> None:
        if self._done:
            self._unjoined -= 1
            process.wake(self._done.popleft())
        else:
            process.wake(None)

    def _start_more(self) -> None:
        while self._unjoined < self._limit and (numbered := next(self._flows, None)) is not None:
            index, flow = numbered
            self._unjoined += 1
            self._running[index] = _Process(self._world, flow, self, index)
            self._running[index].wake()


def _no_answer(request: Request) -> ReadTimeoutError:
    return ReadTimeoutError(f"scripted: {request!r} was not answered in time")


def _awaited(awaitable: Any) -> Any:
    import asyncio  # noqa: PLC0415 - heavy, and only asynchronous callbacks need it

    async def main() -> Any:
        return await awaitable

    return asyncio.run(main())
