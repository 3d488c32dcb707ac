"""Task streams as bytes: the NDJSON and SSE forms (wire protocol 2.6, 2.7), kept alive in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from .domain.views import TaskEvent

E = TypeVar("E")


@dataclass(frozen=True)
class NDJSON:
    """One JSON value per line."""

    content_type: str = "application/x-ndjson"
    heartbeat: bytes = b'{"type": "heartbeat"}\n'

    def state(self, event: TaskEvent) -> bytes:
        """A bare object: old clients understand no other form."""
        return event.json + b"\n"

    def end(self, event: TaskEvent) -> bytes:  # noqa: ARG002 - the other framing needs it
        """Nothing: the terminal line says it all."""
        return b""


@dataclass(frozen=True)
class ServerSentEvents:
    """Unnamed events, their `id` the event's number, and a final event named `done`."""

    content_type: str = "text/event-stream"
    heartbeat: bytes = b": heartbeat\n\n"

    def state(self, event: TaskEvent) -> bytes:
        """An unnamed event, which `onmessage` hears."""
        return b"id: %d\ndata: %b\n\n" % (event.seq, event.json)

    def end(self, event: TaskEvent) -> bytes:
        """The terminal state once more, for those who listen to names."""
        return b"event: done\nid: %d\ndata: %b\n\n" % (event.seq, event.json)


Framing: TypeAlias = NDJSON | ServerSentEvents


def framing(accept: str) -> Framing:
    """NDJSON for those who ask for it, server-sent events for everybody else."""
    asked = accept.lower()
    return NDJSON() if "application/x-ndjson" in asked or "application/jsonl" in asked else ServerSentEvents()


async def frames(
    events: AsyncIterator[TaskEvent], form: Framing, *, heartbeat_seconds: float, repeat_seconds: float
) -> AsyncGenerator[bytes]:
    """The events as bytes.

    In silence comes a heartbeat, and every `repeat_seconds` the last state again: published clients leave a
    stream that shows them nothing but heartbeats for 30 seconds.
    """
    last: TaskEvent | None = None
    now = asyncio.get_running_loop().time
    said_at = now()
    async for event in with_silences(events, heartbeat_seconds):
        if event is None and (last is None or now() - said_at < repeat_seconds):
            yield form.heartbeat
            continue
        last, said_at = event or last, now()
        if last is not None:
            yield form.state(last)
    if last is not None and last.terminal:
        yield form.end(last)


async def with_silences(events: AsyncIterator[E], seconds: float) -> AsyncGenerator[E | None]:
    """The events, and None for each stretch of this many seconds without one."""
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            if not (await asyncio.wait((coming,), timeout=seconds))[0]:
                yield None
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            yield event
            coming = asyncio.ensure_future(anext(events))
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
        if isinstance(events, AsyncGenerator):
            await events.aclose()
