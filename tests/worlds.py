"""Both worlds under one test: an asynchronous client held as if it were a synchronous one.

The fixture `either_world` stands in the place of a module's ``World``: each test runs with
`inferencesh_core.testing.world.World` and with the twin made here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import contextmanager

from inferencesh_agents import AsyncAgent
from inferencesh_async import async_inference
from inferencesh_async.testing import AsyncWorld, JumpingLoop
from inferencesh_core.flow.effects import Outcome
from inferencesh_core.task_streams import AsyncTaskStream
from inferencesh_core.testing.world import World

_LOOP = JumpingLoop()


class HeldWorld(AsyncWorld):
    """An asynchronous world whose clients are called as synchronous ones."""

    def __init__(self, server, luck=1.0):
        super().__init__(server, luck, _LOOP)

    def client(self, *args, **options):
        return Held(super().client(*args, **options), self.run)

    def run_all(self, flows):
        async def outcomes():
            return await asyncio.gather(*(self._outcome(*each) for each in enumerate(flows)))

        return self.run(outcomes())

    async def _outcome(self, index, flow):
        driver = AsyncWorld.client(self).driver
        try:
            return Outcome(index, await driver.run(flow))
        except Exception as error:  # noqa: BLE001 - an outcome carries any failure
            return Outcome(index, error=error)


class Held:
    """A client, a namespace or a stream; what it gives is waited for."""

    def __init__(self, inner, run):
        self._inner = inner
        self._run = run

    def __repr__(self):
        return repr(self._inner)

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if callable(value):
            return lambda *args, **options: self._waited(value(*args, **options))
        return Held(value, self._run) if name in {"tasks", "files", "agents"} else value

    def _waited(self, value):
        if asyncio.iscoroutine(value):
            return self._waited(self._run(value))
        if isinstance(value, AsyncTaskStream):
            # What the synchronous twin does at once, the awaited one does when it is awaited.
            return Held(self._run(_awaited(value)), self._run)
        if isinstance(value, AsyncIterator):
            return self._each(value)
        if isinstance(value, AsyncAgent):
            return Held(value, self._run)
        return value

    def _each(self, iterator):
        try:
            while True:
                try:
                    yield self._run(anext(iterator))
                except StopAsyncIteration:  # noqa: PERF203 - it is how it ends
                    return
        finally:
            self._run(iterator.aclose())

    def __iter__(self):
        return self._each(aiter(self._inner))

    def __enter__(self):
        self._run(self._inner.__aenter__())
        return self

    def __exit__(self, *details):
        self._run(self._inner.__aexit__(*details))

    def close(self):
        self._run(self._inner.aclose() if hasattr(self._inner, "tasks") else self._inner.close())


@contextmanager
def held_client(*args, **options):
    """Give an asynchronous client on real sockets and a real loop, called as a synchronous one."""
    loop = asyncio.new_event_loop()
    client = async_inference(*args, **options)
    try:
        yield Held(client, loop.run_until_complete)
    finally:
        loop.run_until_complete(client.aclose())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _awaited(stream):
    return await stream


WORLDS = {"sync": World, "async": HeldWorld}
