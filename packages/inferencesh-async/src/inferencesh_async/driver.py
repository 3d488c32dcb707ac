"""The asyncio driver: performs the effects of flows by awaiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from inferencesh_core.flow.apart import CANCELLED, OwnThreads
from inferencesh_core.flow.driver import log_failed_farewell
from inferencesh_core.flow.effects import (
    Afterwards,
    Call,
    CallApart,
    CallTimeoutError,
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

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator

    from inferencesh_core.flow.effects import Feed, Flow
    from inferencesh_core.http.messages import Response
    from inferencesh_core.http.transport import AsyncTransport

R = TypeVar("R")
T = TypeVar("T")

FAREWELL_SECONDS = 1.0
"""How long a coroutine that was cancelled may take to end before it is left behind."""


class AsyncioDriver:
    """Runs flows on the running event loop."""

    def __init__(self, transport: AsyncTransport, pauses: Pauses | None = None) -> None:
        self._transport = transport
        self._pauses = pauses or Pauses()

    async def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end; cancelling closes what it had opened."""
        scope = _Scope(self._transport, self._pauses)
        value: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = flow.send(value) if error is None else flow.throw(error)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                value, error = None, None
                try:
                    # No coroutine stands between this one and what is waited for: a thousand calls at once
                    # would keep a thousand of it.
                    value = scope.at_once(step) if type(step) in _AT_ONCE else await scope.awaited(step)
                except Exception as problem:  # noqa: BLE001 - whatever the world raises is the flow's to judge
                    error = problem
        finally:
            flow.close()
            await scope.close()

    async def iterate(self, feed: Feed[T, Any]) -> AsyncGenerator[T, None]:
        """Give what a feed emits; closing the iterator closes the feed and its streams."""
        scope = _Scope(self._transport, self._pauses)
        value: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = feed.send(value) if error is None else feed.throw(error)
                except StopIteration:
                    return
                value, error = None, None
                if isinstance(step, Emit):
                    for emitted in step.values:
                        yield emitted
                    continue
                try:
                    value = scope.at_once(step) if type(step) in _AT_ONCE else await scope.awaited(step)
                except Exception as problem:  # noqa: BLE001 - as above
                    error = problem
        finally:
            feed.close()
            await scope.close()

    async def close(self) -> None:
        """Close the transport; who pauses before another try goes on at once, and is told so."""
        await self._transport.close()
        self._pauses.end()


class Pauses:
    """Those that are being made between tries."""

    def __init__(self) -> None:
        self._going_on: set[asyncio.Future[None]] = set()

    def end(self) -> None:
        """End them, so far as they are made in the running loop."""
        loop = asyncio.get_running_loop()
        for pause in self._going_on:
            if pause.get_loop() is loop:
                _end(pause)

    async def make(self, seconds: float) -> None:
        """Make one."""
        loop = asyncio.get_running_loop()
        pause: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _end, pause)
        self._going_on.add(pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._going_on.discard(pause)


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


class _Scope:
    """One flow being run, and what it opened."""

    def __init__(self, transport: AsyncTransport, pauses: Pauses) -> None:
        self._transport = transport
        self._pauses = pauses
        self._streams: list[OpenedStream] = []
        self._groups: list[_TaskGroup] = []
        self._afterwards: list[Flow[None]] = []

    def at_once(self, effect: Effect) -> Any:
        """Give what an effect comes to that waits for nothing."""
        return _AT_ONCE[type(effect)](self, effect)

    def awaited(self, effect: Effect | Emit[Any]) -> Awaitable[Any]:
        """Give what is to be awaited for what an effect comes to."""
        if isinstance(effect, Emit):
            raise TypeError("this operation emits values: iterate it instead of running it")
        return _AWAITED[type(effect)](self, effect)

    def send(self, effect: Send) -> Awaitable[Response]:
        return self._transport.send(effect.request)

    async def open_stream(self, effect: OpenStream) -> OpenedStream:
        response = await self._transport.open(effect.request)
        stream = OpenedStream(response)
        self._streams.append(stream)
        return stream

    def read(self, effect: Read) -> Awaitable[bytes]:
        return effect.stream.body.read(effect.timeout)  # type: ignore[no-any-return]

    async def receive(self, effect: Receive) -> int:
        data = await effect.stream.body.read(effect.timeout)
        effect.sink.add(data)
        return len(data)

    async def close_stream(self, effect: CloseStream) -> None:
        self._streams.remove(effect.stream)
        await effect.stream.body.close()

    def sleep(self, effect: Sleep) -> Awaitable[None]:
        return self._pauses.make(effect.seconds)

    def now(self, _effect: Now) -> float:
        return asyncio.get_running_loop().time()

    async def call(self, effect: Call) -> Any:
        result = effect.function(*effect.arguments)
        return await result if hasattr(result, "__await__") else result

    async def call_apart(self, effect: CallApart) -> Any:
        called = asyncio.ensure_future(_called(effect.function, effect.arguments))
        called.add_done_callback(_seen)
        try:
            in_time, _ = await asyncio.wait({called}, timeout=effect.timeout)
        finally:
            if not called.done():
                called.cancel()
                await asyncio.wait({called}, timeout=FAREWELL_SECONDS)
        if not in_time and effect.timeout is not None:
            raise CallTimeoutError(effect.timeout)
        if called.cancelled():
            raise RuntimeError(CANCELLED)
        result, interrupt = called.result()
        if interrupt is not None:
            raise interrupt
        return result

    def fork(self, effect: Fork) -> _TaskGroup:
        group = _TaskGroup(AsyncioDriver(self._transport, self._pauses), effect.flows, effect.limit)
        self._groups.append(group)
        return group

    def join(self, effect: Join) -> Awaitable[Outcome[Any] | None]:
        return effect.group.join()  # type: ignore[attr-defined, no-any-return]

    def afterwards(self, effect: Afterwards) -> None:
        self._afterwards.append(effect.flow)

    async def close(self) -> None:
        for group in self._groups:
            await group.close()
        for stream in self._streams:
            await stream.body.close()
        while self._afterwards:
            try:
                await AsyncioDriver(self._transport, self._pauses).run(self._afterwards.pop())
            except Exception as error:  # noqa: BLE001, PERF203 - how the flow itself ended matters more
                log_failed_farewell(error)


_AT_ONCE: dict[type, Callable[[_Scope, Any], Any]] = {
    Now: _Scope.now,
    Fork: _Scope.fork,
    Afterwards: _Scope.afterwards,
}
_AWAITED: dict[type, Callable[[_Scope, Any], Awaitable[Any]]] = {
    Send: _Scope.send,
    OpenStream: _Scope.open_stream,
    Read: _Scope.read,
    Receive: _Scope.receive,
    CloseStream: _Scope.close_stream,
    Sleep: _Scope.sleep,
    Call: _Scope.call,
    CallApart: _Scope.call_apart,
    Join: _Scope.join,
}


class _TaskGroup(Group[Any]):
    """Flows side by side, each an asyncio task.

    A flow starts only while fewer than ``limit`` run or wait to be joined, so a slow consumer holds the
    producer back.
    """

    def __init__(self, driver: AsyncioDriver, flows: Iterable[Flow[Any]], limit: int) -> None:
        self._driver = driver
        self._flows: Iterator[tuple[int, Flow[Any]]] = enumerate(flows)
        self._limit = limit
        self._unjoined = 0
        self._running: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[Outcome[Any]] = asyncio.Queue()

    async def join(self) -> Outcome[Any] | None:
        while self._unjoined < self._limit and (numbered := next(self._flows, None)) is not None:
            self._unjoined += 1
            task = asyncio.create_task(self._run(*numbered))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if not self._unjoined:
            return None
        outcome = await self._done.get()
        self._unjoined -= 1
        return outcome

    async def close(self) -> None:
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, index: int, flow: Flow[Any]) -> None:
        try:
            outcome = Outcome(index, await self._driver.run(flow))
        except Exception as error:  # noqa: BLE001 - an outcome carries any failure to whoever joins
            outcome = Outcome(index, error=error)
        self._done.put_nowait(outcome)


async def _called(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    """Give what a call comes to, an interrupt apart: raised by a task, it would end the loop at once."""
    try:
        result = await asyncio.get_running_loop().run_in_executor(OwnThreads(), function, *arguments)
        return (await result if hasattr(result, "__await__") else result), None
    except (KeyboardInterrupt, SystemExit) as interrupt:
        return None, interrupt


def _seen(called: asyncio.Future[Any]) -> None:
    """Look at how a call ended, or asyncio complains about errors of calls that were left behind."""
    if not called.cancelled():
        called.exception()
