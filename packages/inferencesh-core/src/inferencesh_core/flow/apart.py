"""Functions of the user's on threads of their own, so that one that hangs can be left behind.

The threads are daemons: a function that never returns does not keep the interpreter from ending either.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from .effects import CallTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

R = TypeVar("R")

CANCELLED = "its coroutine was cancelled"


class OwnThreads(Executor):
    """Runs each function at once, on a new thread that nobody waits for, in the caller's context.

    Args:
        daemon: Whether the interpreter may end before a function does.
    """

    def __init__(self, *, daemon: bool = True) -> None:
        self._daemon = daemon

    def submit(self, fn: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        """Start a function; cancelling its future leaves it behind."""
        future: Future[R] = Future()
        context = copy_context()

        def run() -> None:
            # What ends a future that was cancelled comes too late.
            with suppress(InvalidStateError):
                _end(future, lambda: context.run(fn, *arguments, **named))

        threading.Thread(target=run, name="inferencesh-apart", daemon=self._daemon).start()
        return future


def _end(future: Future[R], function: Callable[[], R]) -> None:
    try:
        result = function()
    except StopIteration:
        # Thrown into the generator that waits it would look like the generator's own end.
        future.set_exception(RuntimeError("it raised StopIteration"))
    except BaseException as error:  # noqa: BLE001 - interrupts too are for whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)


class Apart:
    """A call on a thread of its own, where what it gives is awaited too."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._left = False
        self._cancel: Callable[[], object] | None = None
        self._future = OwnThreads().submit(self._call, function, arguments)

    def result(self, timeout: float | None) -> Any:
        """Wait for what the call comes to, at most ``timeout`` seconds.

        Raises:
            CallTimeoutError: It has not ended.
        """
        try:
            return self._future.result(timeout)
        except FutureTimeoutError:
            # The function's own errors may be of this type.
            if timeout is None or self._future.done():
                return self._future.result()
            raise CallTimeoutError(timeout) from None

    def leave(self) -> None:
        """Wait no more: cancel what is awaited, and let a thread that hangs be."""
        self._left = True
        self._future.cancel()
        if self._cancel is not None:
            # The loop may have ended by itself in this moment.
            with suppress(RuntimeError):
                self._cancel()

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        result = function(*arguments)
        return asyncio.run(self._awaited(result)) if hasattr(result, "__await__") else result

    async def _awaited(self, awaitable: Awaitable[Any]) -> Any:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(awaitable)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        if self._left:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            raise RuntimeError(CANCELLED) from None
