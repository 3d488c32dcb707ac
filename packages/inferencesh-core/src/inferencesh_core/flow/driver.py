"""The synchronous driver: performs the effects of flows by blocking."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError
from .effects import (
    Afterwards,
    Call,
    CallApart,
    CloseStream,
    Effect,
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
from .stop import Stop

if TYPE_CHECKING:
    import queue
    from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator

    from ..http.messages import Response
    from ..http.transport import Transport
    from .apart import Apart
    from .effects import Feed, Flow

R = TypeVar("R")
T = TypeVar("T")


class SyncDriver:
    """Runs flows on the calling thread; shared by threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stop = Stop()

    def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end.

        Raises:
            ConfigurationError: the driver is closed, or was meanwhile.
        """
        self._stop.check()
        scope = _Scope(self._transport, self._stop)
        try:
            return scope.run(flow)
        finally:
            # An interrupt never enters the flow, and its traceback would keep the flow as it was.
            flow.close()
            scope.close()

    def iterate(self, feed: Feed[T, R]) -> Generator[T, None, R]:
        """Give what a feed emits; closing the generator closes the feed and its streams.

        Raises:
            ConfigurationError: the driver is closed, or was meanwhile.
        """
        self._stop.check()
        scope = _Scope(self._transport, self._stop)
        try:
            return (yield from scope.steps(feed))
        finally:
            feed.close()
            scope.close()

    def close(self) -> None:
        """Close the transport; what runs on other threads ends with it, and nothing new begins."""
        self._stop.ask(_closed)
        self._transport.close()


def _closed() -> ConfigurationError:
    return ConfigurationError("this client is closed; make another one")


class _Stopped(BaseException):
    """Ends a flow whose group was closed. A `BaseException`, so no flow takes it for a failure."""


class _Scope:
    """One flow being run, and what it opened."""

    def __init__(self, transport: Transport, stop: Stop) -> None:
        self._transport = transport
        self._stop = stop
        self._streams: list[OpenedStream] = []
        self._groups: list[_ThreadGroup] = []
        self._afterwards: list[Flow[None]] = []
        self._apart: Apart | None = None

    def run(self, flow: Flow[R]) -> R:
        steps: Generator[Any, None, R] = self.steps(flow)
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise TypeError("this operation emits values: iterate it instead of running it")

    def steps(self, feed: Feed[T, R]) -> Generator[T, None, R]:
        value: Any = None
        error: Exception | None = None
        stop = self._stop
        while True:
            try:
                step = feed.send(value) if error is None else feed.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            value, error = None, None
            if isinstance(step, Emit):
                yield from step.values
                continue
            if stop.reason is not None:
                raise stop.reason()
            try:
                value = _PERFORM[type(step)](self, step)
            except Exception as problem:  # noqa: BLE001 - whatever the world raises is the flow's to judge
                error = problem
            if stop.reason is not None:
                raise stop.reason()

    def send(self, effect: Send) -> Response:
        return self._transport.send(effect.request)

    def open_stream(self, effect: OpenStream) -> OpenedStream:
        response = self._transport.open(effect.request)
        stream = OpenedStream(response)
        self._streams.append(stream)
        return stream

    def read(self, effect: Read) -> bytes:
        return effect.stream.body.read(effect.timeout)  # type: ignore[no-any-return]

    def receive(self, effect: Receive) -> int:
        body, sink = effect.stream.body, effect.sink
        if hasattr(body, "read_into"):
            count: int = body.read_into(*sink.room(), effect.timeout)
            sink.received(count)
            return count
        data = body.read(effect.timeout)
        sink.add(data)
        return len(data)

    def close_stream(self, effect: CloseStream) -> None:
        self._streams.remove(effect.stream)
        effect.stream.body.close()

    def sleep(self, effect: Sleep) -> None:
        self._stop.wait(effect.seconds)

    def now(self, _effect: Now) -> float:
        return time.monotonic()

    def call(self, effect: Call) -> Any:
        result = effect.function(*effect.arguments)
        return _awaited(result) if hasattr(result, "__await__") else result

    def call_apart(self, effect: CallApart) -> Any:
        from .apart import Apart  # noqa: PLC0415 - it loads asyncio

        self._apart = Apart(effect.function, effect.arguments)
        if self._stop.reason is not None:
            self._apart.leave()  # the group was closed before it could see this call
        try:
            return self._apart.result(effect.timeout)
        finally:
            self._apart.leave()

    def fork(self, effect: Fork) -> _ThreadGroup:
        group = _ThreadGroup(self._transport, effect.flows, effect.limit, self._stop.below())
        self._groups.append(group)
        return group

    def join(self, effect: Join) -> Outcome[Any] | None:
        return effect.group.join()  # type: ignore[attr-defined, no-any-return]

    def afterwards(self, effect: Afterwards) -> None:
        self._afterwards.append(effect.flow)

    def close(self) -> None:
        if self._apart is not None:
            self._apart.leave()
        for group in self._groups:
            group.close()
        for stream in self._streams:
            stream.body.close()
        while self._afterwards:
            try:
                SyncDriver(self._transport).run(self._afterwards.pop())
            except Exception as error:  # noqa: BLE001, PERF203 - how the flow itself ended matters more
                log_failed_farewell(error)


_PERFORM: dict[type[Effect], Callable[[_Scope, Any], Any]] = {
    Send: _Scope.send,
    OpenStream: _Scope.open_stream,
    Read: _Scope.read,
    Receive: _Scope.receive,
    CloseStream: _Scope.close_stream,
    Sleep: _Scope.sleep,
    Now: _Scope.now,
    Call: _Scope.call,
    CallApart: _Scope.call_apart,
    Fork: _Scope.fork,
    Join: _Scope.join,
    Afterwards: _Scope.afterwards,
}


class _ThreadGroup(Group[Any]):
    """Flows side by side, each on one of ``limit`` threads.

    A flow starts only while fewer than ``limit`` run or wait to be joined, so a slow consumer holds the
    producer back.
    """

    def __init__(self, transport: Transport, flows: Iterable[Flow[Any]], limit: int, stop: Stop) -> None:
        # A client that never runs flows side by side should not pay for this import.
        import queue  # noqa: PLC0415

        self._transport = transport
        self._flows: Iterator[tuple[int, Flow[Any]]] = enumerate(flows)
        self._limit = limit
        self._unjoined = 0
        self._threads = 0
        self._stop = stop
        self._is_closed = False
        self._scopes: set[_Scope] = set()
        self._todo: queue.SimpleQueue[tuple[int, Flow[Any]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome[Any] | BaseException] = queue.SimpleQueue()

    def join(self) -> Outcome[Any] | None:
        self._start_more()
        if not self._unjoined:
            return None
        outcome = self._done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        self._unjoined -= 1
        return outcome

    def close(self) -> None:
        self._is_closed = True
        self._stop.ask(_Stopped)
        for scope in tuple(self._scopes):
            scope.close()
        for _ in range(self._threads):
            self._todo.put(None)

    def _start_more(self) -> None:
        import threading  # noqa: PLC0415 - see __init__

        while self._unjoined < self._limit and (numbered := next(self._flows, None)) is not None:
            self._unjoined += 1
            self._todo.put(numbered)
            if self._threads < min(self._unjoined, self._limit):
                self._threads += 1
                threading.Thread(target=self._work, name="inferencesh-flow", daemon=True).start()

    def _work(self) -> None:
        while (numbered := self._todo.get()) is not None and not self._is_closed:
            self._run(*numbered)

    def _run(self, index: int, flow: Flow[Any]) -> None:
        scope = _Scope(self._transport, self._stop)
        self._scopes.add(scope)
        outcome: Outcome[Any] | BaseException
        try:
            outcome = Outcome(index, scope.run(flow))
        except _Stopped:
            return
        except Exception as error:  # noqa: BLE001 - an outcome carries any failure to whoever joins
            outcome = Outcome(index, error=error)
        except BaseException as interrupt:  # noqa: BLE001 - it ends whoever joins, as if it had come there
            outcome = interrupt
        finally:
            self._scopes.discard(scope)
            scope.close()
        self._done.put(outcome)


def log_failed_farewell(error: Exception) -> None:
    """Write as a warning what a flow that runs `afterwards` raised."""
    import logging  # noqa: PLC0415 - needed only once something is wrong

    logging.getLogger("inferencesh").warning("after an operation had ended: %s", error)


def _awaited(awaitable: Awaitable[R]) -> R:
    """Give what an awaitable of the user's gives, also on a thread whose own loop is running."""
    import asyncio  # noqa: PLC0415 - heavy, and only asynchronous callbacks need it
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    async def main() -> R:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main()).result()
