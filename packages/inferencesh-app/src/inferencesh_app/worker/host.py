"""One app served over a pair of pipes: set up once, called one at a time, cancelled, unloaded."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from ..base import BaseApp, Metadata
from . import protocol
from .failures import CallFailed, app_traceback, error_line
from .inputs import prepared
from .outputs import encoded_output, invalid_output, invoke, is_stream, outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loader import LoadedApp
    from ..signatures import AppFunction
    from .channel import Channel, Journal

_LOGGER = logging.getLogger("inferencesh.app")
_READ_BYTES = 64 * 1024  # what a pipe holds; a larger buffer would be mapped and unmapped for every message


@dataclass(slots=True)
class _Running:
    """The call being answered. `entered` is the function, once app code may run."""

    call: str
    task: asyncio.Task[Any]
    entered: AppFunction | None = None
    cancelled: bool = False


class Host:
    """Serves one app instance until it is told to unload or the engine's end of the pipe closes.

    Messages are acted on one after the other, each in a task of its own, which begins the next one's. So
    nothing has to wake up between a message and the function, nor between the function and its answer.
    """

    _over: asyncio.Future[int]

    def __init__(self, loaded: LoadedApp, app: BaseApp, channel: Channel, journal: Journal) -> None:
        self._loaded, self._app = loaded, app
        self._channel, self._journal = channel, journal
        self._actions = {"setup": self._setup, "call": self._answer, "unload": self._unload}
        self._inbox: deque[protocol.Message] = deque()
        self._acting: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()
        self._waiting: set[str] = set()
        self._running: _Running | None = None
        self._cancelling: set[asyncio.Task[None]] = set()
        self._metadata: Mapping[str, Any] = {}
        # One thread for all of an app's sync code: libraries tie devices and event loops to the thread.
        self._thread = ThreadPoolExecutor(1, "app")

    async def serve(self, fd: int) -> int:
        """Answer what comes in on `fd`; gives the exit code of the process."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        loop.add_reader(fd, _Lines(fd, self._receive).read)
        return await self._over

    def _receive(self, message: protocol.Message) -> None:
        kind = message["type"]
        if kind == "cancel":
            self._cancel(message["call"])
        elif kind in self._actions:
            if kind == "call":
                self._waiting.add(message["call"])
            self._inbox.append(message)
            self._go_on()

    def _go_on(self) -> None:
        """Act on the next message, unless the one before is still being acted on."""
        if self._inbox and self._acting is None:
            self._acting = self._context.run(asyncio.create_task, self._act(self._inbox.popleft()))

    async def _act(self, message: protocol.Message) -> None:
        try:
            exit_code = await self._actions[message["type"]](message)
        except BaseException as error:  # noqa: BLE001 - it ends the process, as it would without a task
            if not self._over.done():
                self._over.set_exception(error)
            return
        if exit_code is not None:
            self._over.set_result(exit_code)
            return
        self._acting = None
        self._go_on()

    async def _setup(self, message: protocol.Message) -> int | None:
        self._metadata = message["metadata"]
        try:
            await self._run_setup(message["setup"])
        except CallFailed as failed:
            self._channel.send(protocol.setup_failed(failed.error, failed.trace))
            return protocol.EXIT_SETUP_FAILED
        except BaseException as error:  # noqa: BLE001 - whatever an app raises is its failure, sys.exit included
            self._channel.send(protocol.setup_failed(error_line(error, "setup"), app_traceback(error)))
            return protocol.EXIT_SETUP_FAILED
        self._context = contextvars.copy_context()  # what setup put there is there for all calls
        self._journal.turn_to(None, protocol.LOG_RUN)
        self._channel.send(protocol.ready())
        return None

    async def _run_setup(self, values: Any) -> None:
        setup = self._loaded.setup
        if setup.takes_values:
            adapter: TypeAdapter[Any] = TypeAdapter(setup.model or Any)
            values = await prepared(adapter, {} if values is None else values, "setup")
        arguments = setup.arguments(values, Metadata.model_validate(self._metadata))
        await invoke(self._app.setup, arguments, self._in_thread)

    async def _answer(self, message: protocol.Message) -> None:
        call = message["call"]
        if call not in self._waiting:
            self._channel.send(protocol.failed(call, "cancelled before it was started", "cancelled"))
            return
        self._waiting.remove(call)
        self._journal.turn_to(call, protocol.LOG_TASK)
        self._running = _Running(call, cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            outcome = await self._outcome(message)
        except asyncio.CancelledError:
            outcome = protocol.encode(protocol.failed(call, "cancelled", "cancelled"))
        finally:
            self._running = None
        self._journal.turn_to(None, protocol.LOG_RUN)
        self._channel.write(outcome)

    async def _outcome(self, message: protocol.Message) -> bytes:
        """The last message of a call. Only `CancelledError` comes out, when the call was cancelled."""
        call = message["call"]
        try:
            function = self._function(message["function"])
            value = await prepared(function.input, _object(message["input"]), f"input of {function.name}")
            metadata = {**self._metadata, **message["metadata"]}
            output = await self._run(call, function, value, metadata, quiet=message.get("quiet") is True)
            return protocol.encode_output("result", call, output)
        except CallFailed as failed:
            if self._is_cancelled():
                failed.kind = "cancelled"
            return protocol.encode(protocol.failed(call, failed.error, failed.kind, failed.trace))

    def _function(self, name: str | None) -> AppFunction:
        functions = self._loaded.functions
        wanted = name or self._loaded.default_function
        if wanted not in functions:
            names = ", ".join(functions)
            raise CallFailed("unknown_function", f"the app has no function {wanted!r}; it has {names}")
        return functions[wanted]

    async def _run(
        self, call: str, function: AppFunction, value: Any, metadata: Mapping[str, Any], *, quiet: bool
    ) -> bytes:
        """Enter the function, send what it yields, and give its last output."""
        # Most functions take their input alone, and need no model of the rest.
        about = Metadata.model_validate(metadata) if function.arity > 1 else None
        arguments = function.arguments(value, about)
        self._enter(call, function, quiet=quiet)
        try:
            result = await invoke(getattr(self._app, function.name), arguments, self._in_thread)
            if is_stream(result):
                return await self._stream(call, function, result)
            return encoded_output(function, result)
        except BaseException as error:
            raise self._failure(function, error) from error

    async def _stream(self, call: str, function: AppFunction, stream: Any) -> bytes:
        encoded = b""
        async with aclosing(outputs_of(stream, self._in_thread)) as outputs:
            async for output in outputs:
                encoded = encoded_output(function, output)
                self._channel.write(protocol.encode_output("output", call, encoded))
        if not encoded:
            raise CallFailed("no_output", f"{function.name} yielded nothing; yield at least one output")
        return encoded

    def _enter(self, call: str, function: AppFunction, *, quiet: bool) -> None:
        if self._running:
            self._running.entered = function
        if not quiet:
            self._channel.send(protocol.started(call))

    def _failure(self, function: AppFunction, error: BaseException) -> BaseException:
        """What an error out of app code means: a failure of the call, or its cancellation."""
        if isinstance(error, CallFailed) or (
            isinstance(error, asyncio.CancelledError) and self._is_cancelled()
        ):
            return error
        trace = app_traceback(error)
        if isinstance(error, ValidationError) and error.title == function.output_type.__name__:
            return invalid_output(function, error, trace)
        return CallFailed("exception", error_line(error, function.name), trace)

    def _is_cancelled(self) -> bool:
        return self._running is not None and self._running.cancelled

    def _cancel(self, call: str) -> None:
        """End a call: drop it while it waits, interrupt it before the app's code, else let the app decide."""
        running = self._running
        if running is None or running.call != call:
            self._waiting.discard(call)
            return
        running.cancelled = True
        if running.entered is None:
            running.task.cancel()
            return
        stopping = asyncio.create_task(self._stop(running, running.entered))
        self._cancelling.add(stopping)
        stopping.add_done_callback(self._cancelling.discard)

    async def _stop(self, running: _Running, function: AppFunction) -> None:
        try:
            # Not on the app's thread: sync code may be busy there with the very call to be cancelled.
            handled = await invoke(self._app.on_cancel, (), asyncio.to_thread)
        except Exception:
            _LOGGER.exception("on_cancel failed")
            handled = False
        # Sync code cannot be interrupted; the engine ends the process when its patience does.
        if handled is False and running is self._running and function.is_async:
            running.task.cancel()

    async def _unload(self, _message: protocol.Message) -> int:
        try:
            await invoke(self._app.unload, (), self._in_thread)
        except BaseException:
            _LOGGER.exception("unload failed")
        self._journal.turn_to(None, protocol.LOG_RUN)
        self._channel.send(protocol.unloaded())
        return protocol.EXIT_UNLOADED

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _contained, function, arguments)


def _contained(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:
        # A future cannot carry it: whoever waits for the future would wait for ever.
        raise RuntimeError("the app raised StopIteration") from error


def _object(value: Any) -> Any:
    return {} if value is None else value


class _Lines:
    """Reads a pipe and hands on each message; the end of the pipe reads as `unload`."""

    def __init__(self, fd: int, receive: Callable[[protocol.Message], None]) -> None:
        self._fd, self._receive = fd, receive
        self._parts: list[bytes] = []

    def read(self) -> None:
        """Take what is there; called when there is something."""
        data = os.read(self._fd, _READ_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._receive(protocol.unload())
        *ends, rest = data.split(b"\n")
        for end in ends:
            line = b"".join((*self._parts, end))
            self._parts = []
            self._receive(protocol.decode(line))
        if rest:
            self._parts.append(rest)
