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
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ..client import Inference
from ..flow.apart import Apart
from ..flow.driver import SyncDriver, log_failed_farewell
from ..flow.effects import (
    Afterwards,
    Call,
    CallApart,
    CallTimeoutError,
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
    Receive,
    Send,
    Sleep,
)
from .script import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from typing_extensions import Unpack

    from ..assembly import ClientOptions
    from ..flow.effects import Effect, Feed, Flow
    from ..http.messages import Request
    from .replies import Reply, Seen

R = TypeVar("R")
T = TypeVar("T")

KEY = "scripted-key"
BASE_URL = "https://api.scripted.test"

HANG_SECONDS = 1.0
"""How long a function called apart may really take before the world takes it for one that hangs."""


class World(ScriptedServer, SyncDriver):
    """Runs flows against a scripted server; flows side by side share its clock.

    Args:
        server: Replies in order, or what gives the reply to a request.
        luck: What every random number from 0 to 1 is; 1 makes each pause as long as it can be.
    """

    def __init__(self, server: Iterable[Reply] | Callable[[Seen], Reply], luck: float = 1.0) -> None:
        super().__init__(server)
        self._luck = luck
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now = 0.0

    @property
    def now(self) -> float:
        """The time, in seconds from the start."""
        return self._now

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
                    if not process.emitted:
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

    def _happen(self) -> None:
        if not self._agenda or self._agenda[0][0] == inf:
            raise AssertionError("the scripted world stands still: a flow waits for what never comes")
        self._now, _, event = heapq.heappop(self._agenda)
        event()


class _WorldClient(Inference):
    """A client driven by a world."""

    def __init__(
        self, world: World, luck: float, api_key: str, base_url: str, **options: Unpack[ClientOptions]
    ) -> None:
        options.setdefault("transport", _NoTransport())
        super().__init__(api_key, base_url, **options)
        self._driver = world
        self.context.api.luck = lambda: luck


class _NoTransport:
    """What a client of a world has for a transport: its driver answers for itself."""

    def send(self, request: Request) -> NoReturn:
        raise AssertionError(f"{request!r} came past the scripted world")

    open = send

    def close(self) -> None:
        """Do nothing: there are no connections to close."""


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
        self._afterwards: list[Flow[None]] = []

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
        while self._afterwards:
            try:
                self.world.run(self._afterwards.pop())
            except Exception as error:  # noqa: BLE001, PERF203 - as the drivers do
                log_failed_farewell(error)

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
            self.emitted.extend(step.values)
            return
        try:
            _PERFORM[type(step)](self, step)
        except Exception as error:  # noqa: BLE001 - whatever the world raises is the flow's to judge
            self.wake(error=error)

    def send(self, effect: Send) -> None:
        seconds, outcome = self.world.exchange(effect.request)
        if isinstance(outcome, Exception):
            self.wake(error=outcome, after=seconds)
        else:
            self.wake(outcome, after=seconds)

    def open_stream(self, effect: OpenStream) -> None:
        seconds, outcome = self.world.opening(effect.request)
        if isinstance(outcome, Exception):
            self.wake(error=outcome, after=seconds)
        else:
            stream = OpenedStream(outcome)
            self._streams.append(stream)
            self.wake(stream, after=seconds)

    def read(self, effect: Read) -> None:
        self._hear(effect, lambda data: data)

    def receive(self, effect: Receive) -> None:
        def take(data: bytes) -> int:
            effect.sink.add(data)
            return len(data)

        self._hear(effect, take)

    def _hear(self, effect: Read | Receive, take: Callable[[bytes], Any]) -> None:
        seconds, outcome = effect.stream.body.next(effect.timeout)
        if isinstance(outcome, bytes):
            self.wake(take(outcome), after=seconds)
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

    def call_apart(self, effect: CallApart) -> None:
        apart = Apart(effect.function, effect.arguments)
        try:
            self.wake(apart.result(HANG_SECONDS))
        except CallTimeoutError:
            seconds = inf if effect.timeout is None else effect.timeout
            self.wake(error=CallTimeoutError(seconds), after=seconds)
        finally:
            apart.leave()

    def fork(self, effect: Fork) -> None:
        group = _Group(self.world, effect)
        self._groups.append(group)
        self.wake(group)

    def join(self, effect: Join) -> None:
        effect.group.join(self)  # type: ignore[attr-defined]  # only a world's own group comes here

    def afterwards(self, effect: Afterwards) -> None:
        self._afterwards.append(effect.flow)
        self.wake()


_PERFORM: dict[type[Effect], Callable[[_Process, Any], None]] = {
    Send: _Process.send,
    OpenStream: _Process.open_stream,
    Read: _Process.read,
    Receive: _Process.receive,
    CloseStream: _Process.close_stream,
    Sleep: _Process.sleep,
    Now: _Process.now,
    Call: _Process.call,
    CallApart: _Process.call_apart,
    Fork: _Process.fork,
    Join: _Process.join,
    Afterwards: _Process.afterwards,
}


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


def _awaited(awaitable: Any) -> Any:
    import asyncio  # noqa: PLC0415 - heavy, and only asynchronous callbacks need it

    async def main() -> Any:
        return await awaitable

    return asyncio.run(main())
