"""How long what a transport keeps in an event loop lasts: until it is closed, or the loop is."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from inferencesh_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class Closable(Protocol):
    """What is kept."""

    async def close(self) -> None:
        """Release it."""


K = TypeVar("K", bound=Closable)


class InLoop(Generic[K]):
    """What belongs to the loop that uses it: made at the first use there.

    Args:
        make: Makes it; called in the loop.
    """

    def __init__(self, make: Callable[[], K]) -> None:
        self._make = make
        self._kept: K | None = None
        self._keeper: AsyncGenerator[None, None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finalizer: weakref.finalize[..., InLoop[K]] | None = None
        self._is_closed = False

    def get(self) -> K:
        """Give it to who runs in a loop.

        Raises:
            ConfigurationError: This was closed, or is in use by another loop.
        """
        loop = asyncio.get_running_loop()
        if self._kept is None or self._loop is not loop or self._is_closed:
            self._kept = self._made_in(loop)
        return self._kept

    async def close(self) -> None:
        """Release it; it is of no further use."""
        self._is_closed = True
        keeper, self._keeper = self._keeper, None
        # Nothing can be closed any more in a loop that somebody closed with its connections open.
        if keeper is not None and self._loop is not None and not self._loop.is_closed():
            await keeper.aclose()

    @property
    def is_open(self) -> bool:
        """Whether it was used and not closed since."""
        return self._keeper is not None

    def _made_in(self, loop: asyncio.AbstractEventLoop) -> K:
        if self._is_closed:
            raise ConfigurationError("this client is closed; make another one")
        if self._loop is not None and self._loop is not loop and not self._loop.is_closed():
            raise ConfigurationError(
                "this client is in use by another event loop: make one client for each loop"
            )
        # A loop that is over took what it had with it.
        self._loop = loop
        kept = self._make()
        keeper = self._keeper = _keeper_of(kept)
        # To its first step, which waits for nothing: from there on the loop knows it.
        with contextlib.suppress(StopIteration):
            keeper.__anext__().send(None)
        # What this holds is not yet garbage when the client is, so nobody finds it was forgotten.
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _let_go, loop, keeper)
        self._finalizer.atexit = False
        return kept


async def _keeper_of(kept: Closable) -> AsyncGenerator[None, None]:
    """Close it when this is closed; at its end, the loop does so too."""
    try:
        yield
    finally:
        await kept.close()


def _let_go(loop: asyncio.AbstractEventLoop, keeper: AsyncGenerator[None, None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.create_task, keeper.aclose())
