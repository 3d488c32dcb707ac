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

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end; cancelling closes what it had opened."""
        scope = _Scope(self._transport)
        try:
            return await scope.run(flow)
        finally:
            flow.close()
            await scope.close()

    async def iterate(self, feed: Feed[T, Any]) -> AsyncGenerator[T, None]:
        """Give what a feed emits; closing the iterator closes the feed and its streams."""
        scope = _Scope(self._transport)
        try:
            value: Any = None
            error: Exception | None = None
            while True:
                try:
                    step = feed.send(value) if error is None else feed.throw(error)
                except StopIteration:
                    return
                if isinstance(step, Emit):
                    for emitted in step.values:
                        yield emitted
                    value, error = None, None
                else:
                    value, error = await scope.perform(step)
        finally:
            feed.close()
            await scope.close()

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()


class _Scope:
    """One flow being run, and what it opened."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._streams: list[OpenedStream] = []
        self._groups: list[_TaskGroup] = []
        self._afterwards: list[Flow[None]] = []

    async def run(self, flow: Flow[R]) -> R:
        value: Any = None
        error: Exception | None = None
        while True:
            try:
                step = flow.send(value) if error is None else flow.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, Emit):
                raise TypeError("this operation emits values: iterate it instead of running it")
            value, error = await self.perform(step)

    async def perform(self, effect: Effect) -> tuple[Any, Exception | None]:
        """Give what the effect comes to: its result, or the error to throw into the flow."""
        try:
            return await _PERFORM[type(effect)](self, effect), None
        except Exception as error:  # noqa: BLE001 - whatever the world raises is the flow's to judge
            return None, error

    async def send(self, effect: Send) -> Response:
        return await self._transport.send(effect.request)

    async def open_stream(self, effect: OpenStream) -> OpenedStream:
        response = await self._transport.open(effect.request)
        stream = OpenedStream(response.status, response.headers, response)
        self._streams.append(stream)
        return stream

    async def read(self, effect: Read) -> bytes:
        return await effect.stream.body.read(effect.timeout)  # type: ignore[no-any-return]

    async def close_stream(self, effect: CloseStream) -> None:
        self._streams.remove(effect.stream)
        await effect.stream.body.close()

    async def sleep(self, effect: Sleep) -> None:
        await asyncio.sleep(effect.seconds)

    async def now(self, _effect: Now) -> float:
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

    async def fork(self, effect: Fork) -> _TaskGroup:
        group = _TaskGroup(self._transport, effect.flows, effect.limit)
        self._groups.append(group)
        return group

    async def join(self, effect: Join) -> Outcome[Any] | None:
        return await effect.group.join()  # type: ignore[attr-defined, no-any-return]

    async def afterwards(self, effect: Afterwards) -> None:
        self._afterwards.append(effect.flow)

    async def close(self) -> None:
        for group in self._groups:
            await group.close()
        for stream in self._streams:
            await stream.body.close()
        while self._afterwards:
            try:
                await AsyncioDriver(self._transport).run(self._afterwards.pop())
            except Exception as error:  # noqa: BLE001, PERF203 - how the flow itself ended matters more
                log_failed_farewell(error)


_PERFORM: dict[type[Effect], Callable[[_Scope, Any], Awaitable[Any]]] = {
    Send: _Scope.send,
    OpenStream: _Scope.open_stream,
    Read: _Scope.read,
    CloseStream: _Scope.close_stream,
    Sleep: _Scope.sleep,
    Now: _Scope.now,
    Call: _Scope.call,
    CallApart: _Scope.call_apart,
    Fork: _Scope.fork,
    Join: _Scope.join,
    Afterwards: _Scope.afterwards,
}


class _TaskGroup(Group[Any]):
    """Flows side by side, each an asyncio task.

    A flow starts only while fewer than ``limit`` run or wait to be joined, so a slow consumer holds the
    producer back.
    """

    def __init__(self, transport: AsyncTransport, flows: Iterable[Flow[Any]], limit: int) -> None:
        self._transport = transport
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
            outcome = Outcome(index, await AsyncioDriver(self._transport).run(flow))
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
