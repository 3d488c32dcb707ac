"""Streams say where the task stands, stay alive in silence, and end clearly (wire protocol 2.6 and 2.7)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from inferencesh_engine.streams import NDJSON, ServerSentEvents, frames, framing


@dataclass(frozen=True)
class Event:
    """What a stream needs of a task event."""

    seq: int
    terminal: bool = False

    @property
    def json(self):
        return json.dumps({"id": "t", "seq": self.seq}).encode()


async def coming(*events):
    for event in events:
        yield event


async def never(*events):
    for event in events:
        yield event
    await asyncio.Event().wait()


def collected(events, form, *, stop_after=None, heartbeat=60.0, repeat=60.0):
    async def collect():
        found = []
        chunks = frames(events, form, heartbeat_seconds=heartbeat, repeat_seconds=repeat)
        async for chunk in chunks:
            found.append(chunk)
            if len(found) == stop_after:
                break
        await chunks.aclose()
        return found

    return asyncio.run(asyncio.wait_for(collect(), 10))


@pytest.mark.parametrize(
    "accept", ["application/x-ndjson", "application/jsonl", "text/html, Application/X-NDJSON;q=1"]
)
def test_who_asks_for_lines_gets_lines(accept):
    assert framing(accept) == NDJSON()


@pytest.mark.parametrize("accept", ["", "*/*", "text/event-stream", "application/json"])
def test_everybody_else_gets_server_sent_events(accept):
    assert framing(accept) == ServerSentEvents()


def test_lines_are_bare_objects_and_nothing_follows_the_terminal_one():
    found = collected(coming(Event(1), Event(2, terminal=True)), NDJSON())
    assert b"".join(found) == b'{"id": "t", "seq": 1}\n{"id": "t", "seq": 2}\n'


def test_events_are_unnamed_and_the_last_one_is_named_done():
    found = collected(coming(Event(1), Event(2, terminal=True)), ServerSentEvents())
    assert b"".join(found).decode() == (
        'id: 1\ndata: {"id": "t", "seq": 1}\n\n'
        'id: 2\ndata: {"id": "t", "seq": 2}\n\n'
        'event: done\nid: 2\ndata: {"id": "t", "seq": 2}\n\n'
    )


def test_a_stream_that_ends_early_does_not_say_done():
    assert b"done" not in b"".join(collected(coming(Event(1)), ServerSentEvents()))


def test_in_silence_come_heartbeats():
    found = collected(never(Event(1)), NDJSON(), stop_after=3, heartbeat=0.01)
    assert [json.loads(line) for line in found[1:]] == [{"type": "heartbeat"}] * 2


def test_heartbeats_of_server_sent_events_are_comments():
    assert collected(never(), ServerSentEvents(), stop_after=1, heartbeat=0.01)[0].startswith(b":")


def test_a_long_silence_repeats_the_state_as_a_real_line():
    found = collected(never(Event(1)), NDJSON(), stop_after=4, heartbeat=0.01, repeat=0.015)
    assert {bytes(line) for line in found} == {NDJSON().heartbeat, NDJSON().state(Event(1))}
    assert found.count(NDJSON().state(Event(1))) >= 2


def test_leaving_a_stream_ends_its_subscription():
    left = []

    async def events():
        try:
            yield Event(1)
            await asyncio.Event().wait()
        finally:
            left.append(True)

    collected(events(), NDJSON(), stop_after=1)
    assert left == [True]


def test_an_error_of_the_subscription_is_not_swallowed():
    async def events():
        yield Event(1)
        raise RuntimeError("store gone")

    with pytest.raises(RuntimeError, match="store gone"):
        collected(events(), NDJSON())
