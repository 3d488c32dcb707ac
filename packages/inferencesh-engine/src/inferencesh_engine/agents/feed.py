"""A chat's stream: the present first, then every change (wire protocol 5.7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..domain.chat import Chat, ChatStatus
from ..domain.chat_views import ChatEvent
from ..streams import NDJSON, Framing, with_silences

if TYPE_CHECKING:
    from ..domain.chat_state import ChatState
    from ..events import Follower
    from .ledger import ChatLedger, LiveChat

HELD_SECONDS = 0.3
"""How long the first word that a chat is idle is held back: who connects before posting is not to hear it."""


async def feed(ledger: ChatLedger, live: LiveChat) -> AsyncGenerator[ChatEvent]:
    """The events of a chat, until the engine stops."""
    with ledger.bus.following(live.id) as follower:
        # Both at one time: while the messages are being sent, the chat may go on.
        messages, chat = _newest_messages(live.told), ChatEvent.of_chat(live.told.chat)
        at_rest = live.told.chat.status.at_rest
        for event in messages:
            yield event
        first = await _first(follower) if at_rest else None
        if first is None or not _is_busy(first):
            yield chat
        if first is not None:
            yield first
        while (event_or_end := await follower.next()) is not None:
            yield event_or_end


def _newest_messages(told: ChatState) -> list[ChatEvent]:
    """What the assistant has said in the present turn, or last; never what the user said."""
    messages = told.turn_messages()
    shown = messages[-1:] if told.chat.status.at_rest else messages
    return [told.event_of(message.id) for message in shown]


async def _first(follower: Follower[ChatEvent]) -> ChatEvent | None:
    try:
        return await asyncio.wait_for(follower.next(), HELD_SECONDS)
    except (asyncio.TimeoutError, TimeoutError):
        return None


def _is_busy(event: ChatEvent) -> bool:
    return isinstance(event.record, Chat) and event.record.status is ChatStatus.BUSY


async def turn_messages(ledger: ChatLedger, live: LiveChat, answer_id: str) -> AsyncGenerator[ChatEvent]:
    """The assistant's messages of the turn that begins with this answer, until it has ended."""
    with ledger.bus.following(live.id) as follower:
        yield live.told.event_of(answer_id)
        begun = False
        while (event := await follower.next()) is not None:
            if isinstance(event.record, Chat):
                if begun and event.record.status.at_rest:
                    return
                continue
            begun = begun or event.subject == answer_id
            if begun and event.record.role == "assistant":
                yield event


async def frames(
    events: AsyncGenerator[ChatEvent], form: Framing, *, heartbeat_seconds: float, named: bool
) -> AsyncGenerator[bytes]:
    """The events as bytes, with heartbeats in silence; `named` ones say what they are about."""
    async with aclosing(with_silences(events, heartbeat_seconds)) as heard:
        async for event in heard:
            if event is None:
                yield form.heartbeat
            elif isinstance(form, NDJSON):
                yield _line(event, named)
            else:
                yield _frame(event, named)


def _line(event: ChatEvent, named: bool) -> bytes:
    if not named:
        return event.json + b"\n"
    return b'{"event": "%b", "data": %b}\n' % (event.name.encode(), event.json)


def _frame(event: ChatEvent, named: bool) -> bytes:
    name = b"event: %b\n" % event.name.encode() if named else b""
    return b"%bdata: %b\n\n" % (name, event.json)
