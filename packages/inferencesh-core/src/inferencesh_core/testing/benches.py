"""Transports of both worlds, held so that one test serves either."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..config import ClientConfig
from ..errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..http.messages import Request, Response

PATIENCE = 10.0
"""How long, in seconds, anything may take that should happen at once."""


class Blocking:
    """A synchronous transport under test."""

    def __init__(self, make: Callable[[ClientConfig], Any], config: ClientConfig | None = None) -> None:
        self.transport = make(config or ClientConfig())

    def send(self, request: Request) -> Response:
        """Give the response."""
        return self.transport.send(request)  # type: ignore[no-any-return]

    def open(self, request: Request) -> Any:
        """Give the opened stream."""
        return self.transport.open(request)

    def send_together(self, requests: list[Request]) -> list[Response]:
        """Send side by side and give the responses in order."""
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(self.transport.send, requests))

    def read_until_closed(self, stream: Any, seconds: float) -> None:
        """Wait for bytes that never come, while another thread closes the stream."""
        timer = threading.Timer(seconds, stream.close)
        timer.start()
        try:
            with contextlib.suppress(TransportError):
                stream.read(PATIENCE)
        finally:
            timer.join()

    def pass_time(self, until: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        started = time.monotonic()
        while not until():
            if time.monotonic() - started > PATIENCE:
                raise AssertionError(f"it was not so within {PATIENCE:g} s")
            time.sleep(0.01)

    def use_until_closed(self, request: Request, arrived: threading.Event, *, opens: bool) -> None:
        """Wait for an answer, or what an opened one brings, while another thread closes the transport."""

        def close_later() -> None:
            arrived.wait(PATIENCE)
            self.transport.close()

        closing = threading.Thread(target=close_later)
        closing.start()
        try:
            with contextlib.suppress(TransportError):
                if opens:
                    with contextlib.closing(self.transport.open(request)) as stream:
                        while stream.read(PATIENCE):
                            pass
                else:
                    self.transport.send(request)
        finally:
            closing.join()

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()


class Awaited:
    """An asynchronous transport under test, each of its steps run to the end."""

    def __init__(self, make: Callable[[ClientConfig], Any], config: ClientConfig | None = None) -> None:
        import asyncio  # noqa: PLC0415 - only these tests need it

        self._loop = asyncio.new_event_loop()
        self._gather = asyncio.gather
        self._sleep = asyncio.sleep
        self.transport = self._run(self._made(make, config or ClientConfig()))

    def send(self, request: Request) -> Response:
        """Give the response."""
        return self._run(self.transport.send(request))  # type: ignore[no-any-return]

    def open(self, request: Request) -> Any:
        """Give the opened stream."""
        return _AwaitedStream(self._run(self.transport.open(request)), self._run)

    def send_together(self, requests: list[Request]) -> list[Response]:
        """Send side by side and give the responses in order."""
        return self._run(self._all(requests))  # type: ignore[no-any-return]

    def read_until_closed(self, stream: _AwaitedStream, seconds: float) -> None:
        """Wait for bytes that never come, while another task closes the stream."""
        self._run(self._closed_while_read(stream.awaited, seconds))

    def pass_time(self, until: Callable[[], bool]) -> None:
        """Wait for something to be so, while the loop runs."""
        self._run(self._passed(until))

    def use_until_closed(self, request: Request, arrived: threading.Event, *, opens: bool) -> None:
        """Wait for an answer, or what an opened one brings, while another task closes the transport."""
        self._run(self._used_while_closed(request, arrived, opens))

    def close(self) -> None:
        """Close the transport and its loop."""
        self._run(self.transport.close())
        self._run(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _run(self, awaitable: Any) -> Any:
        return self._loop.run_until_complete(awaitable)

    async def _made(self, make: Callable[[ClientConfig], Any], config: ClientConfig) -> Any:
        return make(config)

    async def _all(self, requests: list[Request]) -> list[Response]:
        responses: list[Response] = await self._gather(*map(self.transport.send, requests))
        return responses

    async def _passed(self, until: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not until():
            if time.monotonic() - started > PATIENCE:
                raise AssertionError(f"it was not so within {PATIENCE:g} s")
            await self._sleep(0.01)

    async def _used_while_closed(self, request: Request, arrived: threading.Event, opens: bool) -> None:
        async def use() -> None:
            if not opens:
                await self.transport.send(request)
                return
            stream = await self.transport.open(request)
            try:
                while await stream.read(PATIENCE):
                    pass
            finally:
                await stream.close()

        async def close_later() -> None:
            while not arrived.is_set():
                await self._sleep(0.01)
            await self.transport.close()

        await self._gather(use(), close_later(), return_exceptions=True)

    async def _closed_while_read(self, stream: Any, seconds: float) -> None:
        async def close_later() -> None:
            await self._sleep(seconds)
            await stream.close()

        await self._gather(stream.read(PATIENCE), close_later(), return_exceptions=True)


class _AwaitedStream:
    def __init__(self, stream: Any, run: Callable[[Any], Any]) -> None:
        self.awaited = stream
        self.status = stream.status
        self.headers = stream.headers
        self._run = run

    def read(self, timeout: float | None) -> bytes:
        return self._run(self.awaited.read(timeout))  # type: ignore[no-any-return]

    def close(self) -> None:
        self._run(self.awaited.close())
