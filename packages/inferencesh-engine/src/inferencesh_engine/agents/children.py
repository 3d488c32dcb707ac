"""Chats as tools use them: children of theirs, and what they remember."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..clock import now
from ..domain.chat import Chat, MessageStatus
from ..domain.chat_views import chat_dto
from ..domain.problems import Problem
from .requests import AgentChoice, parse_message
from .tools.runner import ChildEnd

if TYPE_CHECKING:
    from .chats import Chats
    from .driving import Driving
    from .ledger import ChatLedger, LiveChat
    from .tools.runner import Invocation


class ChatsOfTools:
    """What the runners of tools may do with chats.

    Attributes:
        chats, driving: Set once they are made, which takes this.
    """

    chats: Chats
    driving: Driving

    def __init__(self, ledger: ChatLedger) -> None:
        self._ledger = ledger

    async def start_child(self, invocation: Invocation, agent: Mapping[str, Any], message: str) -> str:
        """Start a chat below the invocation's; gives its id. One invocation has one."""
        chat_id = hashlib.sha256(f"child of {invocation.id}".encode()).hexdigest()[:26]
        try:
            return self._ledger.find(chat_id).id
        except Problem:
            pass
        parent = self._ledger.find(invocation.chat_id).chat
        ref, agent_id, version_id = (agent.get(name) or None for name in ("ref", "id", "version_id"))
        choice = AgentChoice(ref=ref, agent_id=agent_id, version_id=version_id)
        await self.chats.begin(choice, parse_message(message), parent=parent, chat_id=chat_id)
        return chat_id

    async def child_ended(self, chat_id: str) -> ChildEnd:
        """How its turn ended, once it has."""
        live = self._ledger.find(chat_id)
        await rested(self._ledger, live)
        last = live.turn_messages()[-1]
        texts = [part for part in last.parts if part["type"] == "text"]
        errors = [part["error"] for part in texts if part.get("error")]
        stopped = "it was stopped" if last.status is MessageStatus.CANCELLED else None
        return ChildEnd(
            text="\n\n".join(part["text"] for part in texts if part["text"]),
            output=live.chat.output,
            error=errors[0] if errors else stopped,
        )

    async def stop(self, chat_id: str) -> None:
        """Stop what it does; done when this returns."""
        await self.driving.stop(self._ledger.find(chat_id))

    def agent_data(self, chat_id: str) -> Mapping[str, Any]:
        """What the chat remembers."""
        data: Mapping[str, Any] = chat_dto(self._ledger.find(chat_id).chat)["agent_data"]
        return data

    async def update_agent_data(
        self, chat_id: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> None:
        """Replace what the chat remembers by what `change` makes of it."""
        live = self._ledger.find(chat_id)
        await self._ledger.change(live, remembering(live.chat, change(self.agent_data(chat_id))))


def remembering(chat: Chat, data: Mapping[str, Any]) -> Chat:
    """The chat with other things to remember."""
    return chat.to(chat.status, now(), data=data)


async def rested(ledger: ChatLedger, live: LiveChat) -> None:
    """Return when the chat's turn is over; raises CancelledError when the engine stops before."""
    with ledger.bus.following(live.id) as follower:
        while not live.chat.status.at_rest:
            event = await follower.next()
            if event is None:
                raise asyncio.CancelledError
            if isinstance(event.record, Chat) and event.record.status.at_rest:
                return
