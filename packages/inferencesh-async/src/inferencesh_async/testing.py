"""The asyncio twin of `inferencesh_core.testing.world`: the same scripts, for asynchronous clients.

A real driver runs on an event loop whose clock jumps to whatever happens next::

    with AsyncWorld([cut(), answer({"id": "t1", "status": 10})]) as world:
        assert world.run(world.client().tasks.get("t1"))["status"] == 10
        assert [seen.line for seen in world.seen] == ["GET /tasks/t1", "GET /tasks/t1"]
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

from inferencesh_core.testing.script import ScriptedServer
from inferencesh_core.testing.world import BASE_URL, HANG_SECONDS, KEY

from .client import AsyncInference

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from typing_extensions import Self, Unpack

    from inferencesh_core.assembly import ClientOptions
    from inferencesh_core.http.messages import Request, Response
    from inferencesh_core.testing.replies import Reply, Seen
    from inferencesh_core.testing.script import Body

R = TypeVar("R")

PATIENCE_SECONDS = 10.0
"""How long a thread may take before the world is said to stand still."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for time to pass: its clock jumps, but not past a thread at work."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Give the seconds since the loop was made, by its own clock."""
        return self._jumping.now

    def restart_clock(self) -> None:
        """Begin at 0 again: differences of large times are not exact."""
        self._jumping.now = 0.0

    def run_in_executor(  # type: ignore[override]  # typeshed's is of a kind that Python 3.10 lacks
        self, executor: Any, func: Callable[..., R], *args: Any
    ) -> asyncio.Future[R]:
        """Run a function on a thread, for which the clock waits `HANG_SECONDS`."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
    now = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE_SECONDS if timeout is None else 0)
        if not ready and timeout is None:
            raise AssertionError("the scripted world stands still: a coroutine waits for what never comes")
        if not ready and timeout is not None and timeout > 0:
            ready = super().select(HANG_SECONDS) if self.threads else ready
            self.now += 0 if ready else timeout
        return ready


class AsyncWorld(ScriptedServer):
    """Serves asynchronous clients from a script.

    Args:
        server: Replies in order, or what gives the reply to a request.
        luck: What every random number from 0 to 1 is; 1 makes each pause as long as it can be.
        loop: Where to run; a loop of its own when absent, which `close` closes.
    """

    def __init__(
        self,
        server: Iterable[Reply] | Callable[[Seen], Reply],
        luck: float = 1.0,
        loop: JumpingLoop | None = None,
    ) -> None:
        super().__init__(server)
        self._luck = luck
        self._owns_loop = loop is None
        self._loop = loop or JumpingLoop()
        self._loop.restart_clock()

    @property
    def now(self) -> float:
        """The time, in seconds from the start."""
        return self._loop.time()

    def client(
        self, api_key: str = KEY, base_url: str = BASE_URL, **options: Unpack[ClientOptions]
    ) -> AsyncInference:
        """Give a client whose every call happens in this world."""
        options.setdefault("transport", _ScriptedTransport(self))
        client = AsyncInference(api_key, base_url, **options)
        client.context.api.luck = lambda: self._luck
        return client

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine to its end."""
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        """Close the loop."""
        if self._owns_loop:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()


class _ScriptedTransport:
    """Carries requests to a world."""

    def __init__(self, world: AsyncWorld) -> None:
        self._world = world

    async def send(self, request: Request) -> Response:
        return await _after(*self._world.exchange(request))

    async def open(self, request: Request) -> _ScriptedStream:
        seconds, outcome = self._world.opening(request)
        try:
            return _ScriptedStream(await _after(seconds, outcome))
        except BaseException:
            if not isinstance(outcome, Exception):
                outcome.close()
            raise

    async def close(self) -> None:
        """Do nothing: there are no connections to close."""


class _ScriptedStream:
    def __init__(self, body: Body) -> None:
        self.status = body.status
        self.headers = body.headers
        self._body = body

    async def read(self, timeout: float | None) -> bytes:
        return await _after(*self._body.next(timeout))

    async def close(self) -> None:
        self._body.close()


async def _after(seconds: float, outcome: R | Exception) -> R:
    await asyncio.sleep(seconds)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
