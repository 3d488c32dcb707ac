"""The verbs about chats: say something, look, stop, change, forget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..acceptance import new_id
from ..clock import now
from ..domain.chat import Chat, ChatStatus, Message, MessageStatus
from ..domain.chat_views import ChatEvent, chat_dto, message_dto
from ..domain.problems import Problem
from ..once import Once
from ..store import keys
from ..store.chats import chat_from
from ..store.listing import Listing, projected, unix_time
from .choosing import choose_agent
from .configuration import parse_agent
from .feed import feed, turn_messages
from .requests import AgentRun, check_depth, parse_agent_run, parse_choice, parse_message
from .turns import pending_answer

if TYPE_CHECKING:
    import sqlite3

    from ..domain.idempotency import Idempotency
    from ..domain.listing import ListQuery, Page
    from ..files import Files
    from ..store import Store
    from .driving import Driving
    from .ledger import LiveChat
    from .requests import AgentChoice, NewMessage
    from .services import TurnServices

_Items = list[dict[str, Any]]
_NAME_CHARS = 80
_COLUMNS = ("id", "created_at", "updated_at", "status", "name", "agent_id", "agent_version_id", "parent_id")
_LISTING = Listing(
    "chats",
    {name: name for name in _COLUMNS},
    searched=("id", "name"),
    converted={"created_at": unix_time, "updated_at": unix_time},
)


@dataclass(frozen=True)
class Sent:
    """A message that was taken, and the answer that is to come.

    Attributes:
        replayed: Whether this is the answer to an earlier request with the same idempotency key.
    """

    live: LiveChat
    user: Message
    answer: Message
    replayed: bool = False

    @property
    def dto(self) -> dict[str, Any]:
        """The body of the answer to `POST /agents/run`."""
        return {"user_message": message_dto(self.user), "assistant_message": message_dto(self.answer)}


class Chats:
    """All chats of one engine."""

    def __init__(self, services: TurnServices, store: Store, files: Files, driving: Driving) -> None:
        self._services = services
        self._ledger = services.ledger
        self._store = store
        self._files = files
        self._driving = driving
        self._once = Once(services.config, store)

    async def run(self, body: Mapping[str, Any], *, idempotency: Idempotency | None = None) -> Sent:
        """Take a message, as `POST /agents/run` does; it is on disk, and the chat busy, when this returns."""
        check_depth(body)
        run = parse_agent_run(body)
        self._files.check_input(body.get("input"), None, "input")
        return await self._once.run(idempotency, self._replay, partial(self._send, run, idempotency))

    def _replay(self, idempotency: Idempotency, message_id: str) -> Sent:
        if self._store.chat_of("chat_messages", message_id) is None:
            detail = f"the chat that Idempotency-Key {idempotency.key!r} wrote to has been deleted since"
            raise Problem(410, "chat_deleted", detail)
        live, answer = self._ledger.find_message(message_id)
        before = [one for one in live.in_order() if one.role != "assistant" and one.order < answer.order]
        blank = replace(pending_answer(live.chat, answer.order, answer.created_at), id=answer.id)
        return Sent(live, before[-1], blank, replayed=True)

    async def _send(self, run: AgentRun, idempotency: Idempotency | None) -> Sent:
        if run.chat_id is None:
            return await self.begin(run.agent, run.message, context=run.context, idempotency=idempotency)
        return await self._say(self._ledger.find(run.chat_id), run.message, idempotency)

    async def begin(
        self,
        choice: AgentChoice,
        message: NewMessage,
        *,
        context: Mapping[str, Any] | None = None,
        parent: Chat | None = None,
        chat_id: str | None = None,
        idempotency: Idempotency | None = None,
    ) -> Sent:
        """A new chat that begins with this message; a child shares the context of its parent."""
        chat = self._new_chat(choice, context if parent is None else parent.context, parent, chat_id)
        text = next((part["text"] for part in message.parts if part["type"] == "text"), "")
        named = replace(chat, name=chat.name or text.strip().partition("\n")[0][:_NAME_CHARS])
        return await self._say(self._ledger.begin(named), message, idempotency)

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new chat in which nothing has been said."""
        check_depth(body)
        context = body.get("context")
        if context is not None and not isinstance(context, dict):
            raise Problem(422, "invalid_request", "context must be an object of texts", field="context")
        chat = self._new_chat(parse_choice(body), context, None, None)
        live = self._ledger.begin(chat)
        await self._ledger.change(live, chat, refusable=True)
        return chat_dto(chat)

    def _new_chat(
        self,
        choice: AgentChoice,
        context: Mapping[str, Any] | None,
        parent: Chat | None,
        chat_id: str | None,
    ) -> Chat:
        if not choice.given:
            detail = "agent must name an agent, like namespace/name"
            raise Problem(422, "invalid_request", detail, field="agent")
        agent, at = choose_agent(self._services, choice), now()
        return Chat(
            id=chat_id or new_id(),
            created_at=at,
            updated_at=at,
            agent=agent,
            name=agent.name,
            context=parse_agent(agent.config).context_of(context),
            parent_id=parent.id if parent is not None else None,
            depth=parent.depth + 1 if parent is not None else 0,
        )

    async def say(self, chat_id: str, given: Any, *, idempotency: Idempotency | None = None) -> Sent:
        """Say something in a chat."""
        check_depth([given])
        live, message = self._ledger.find(chat_id), parse_message(given)
        self._files.check_input(given, None, "message")
        return await self._once.run(idempotency, self._replay, partial(self._say, live, message, idempotency))

    async def _say(self, live: LiveChat, said: NewMessage, idempotency: Idempotency | None) -> Sent:
        """Begin a turn with the message, or let it wait for the end of the one that goes on."""
        self._refuse_when_full(live)
        at, waits = now(), not live.chat.status.at_rest or bool(live.queued())
        order = max((one.order for one in live.messages.values()), default=-1) + 1
        answer = pending_answer(live.chat, order + 1, at)
        user = replace(
            answer,
            id=new_id(),
            order=order,
            role=said.role,
            status=MessageStatus.READY,
            parts=said.parts,
            settings=said.settings,
        )
        if waits:
            user, answer = (replace(one, status=MessageStatus.QUEUED) for one in (user, answer))
        chats = () if waits else (live.chat.to(ChatStatus.BUSY, at, output=None, notices=()),)
        also = partial(_bind, idempotency, answer.id, at) if idempotency is not None else None
        stored = self._ledger.change(live, *chats, user, answer, also=also, refusable=True)
        if live.turn is None:
            self._driving.start(live, stored)
        # A caller who leaves does not undo what is being stored.
        await asyncio.shield(stored)
        return Sent(live, user, answer)

    def _refuse_when_full(self, live: LiveChat) -> None:
        config = self._services.config
        if len(live.messages) + 2 > config.max_chat_messages:
            detail = f"the chat has {config.max_chat_messages} messages (max_chat_messages); start a new one"
            raise Problem(409, "chat_full", detail)
        if len(live.queued()) // 2 >= config.max_queued_messages:
            detail = f"{config.max_queued_messages} messages wait already (max_queued_messages)"
            raise Problem(429, "queue_full", detail, retry_after=1)

    async def list(self, query: ListQuery) -> Page:
        """A page of chats, newest first unless the query says otherwise."""
        found = await self._store.scan(lambda db: _LISTING.page(db, query, "record", _from_row))
        current = [self._ledger.newest(chat) for chat in found.items]
        shown = [projected(chat_dto(chat), query.fields) for chat in current]
        return replace(found, items=shown)

    def get(self, chat_id: str) -> dict[str, Any]:
        """The chat with all its messages."""
        live = self._ledger.find(chat_id)
        fresh: dict[str, Any] = self._services.shown.value(chat_dto(live.told.chat))
        return {**fresh, "chat_messages": self.messages(chat_id)}

    def status(self, chat_id: str) -> dict[str, Any]:
        """The little that pollers compare."""
        chat = chat_dto(self._ledger.find(chat_id).told.chat)
        return {name: chat[name] for name in ("id", "status", "updated_at")}

    def messages(self, chat_id: str) -> _Items:
        """The chat's messages, in order."""
        told = self._ledger.find(chat_id).told
        fresh: _Items = self._services.shown.value([told.event_of(one.id).data for one in told.in_order()])
        return fresh

    def trace(self, chat_id: str) -> dict[str, Any]:
        """The chat, its messages with their tasks, and the chats below it: what happened, in order."""
        below = [self.trace(child) for child in self._store.children_of(chat_id)]
        return {**self.get(chat_id), "children": below}

    def follow(self, chat_id: str) -> AsyncGenerator[ChatEvent]:
        """The chat's stream. Raises Problem 404 at once."""
        return feed(self._ledger, self._ledger.find(chat_id))

    def follow_answer(self, sent: Sent) -> AsyncGenerator[ChatEvent]:
        """What the assistant says to a message, until the turn has ended."""
        return turn_messages(self._ledger, sent.live, sent.answer.id)

    async def stop(self, chat_id: str) -> dict[str, Any]:
        """Stop what the chat does; gives it as it is then."""
        live = self._ledger.find(chat_id)
        await self._driving.stop(live)
        return chat_dto(live.chat)

    async def update(self, chat_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change name or description."""
        live = self._ledger.find(chat_id)
        given = {name: body[name] for name in ("name", "description") if body.get(name) is not None}
        for name, value in given.items():
            if not isinstance(value, str):
                raise Problem(
                    422, "invalid_request", f"{name} must be a text, not {value!r:.100}", field=name
                )
        await self._ledger.change(live, live.chat.to(live.chat.status, now(), **given), refusable=True)
        return chat_dto(live.chat)

    async def switch_agent(self, chat_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Let another agent answer from now on; what has been said stays, and the context too."""
        live = self._ledger.find(chat_id)
        if not live.chat.status.at_rest:
            raise Problem(409, "chat_busy", f"chat {chat_id} is busy; stop it, or wait for its turn to end")
        check_depth(body)
        agent = choose_agent(self._services, parse_choice(body))
        context = parse_agent(agent.config).context_of(live.chat.context)
        # What was allowed for good were tools of the other agent; one of the same name may do anything.
        data = {**live.chat.data, "always_allowed_tools": []}
        changed = live.chat.to(live.chat.status, now(), agent=agent, context=context, data=data)
        await self._ledger.change(live, changed, refusable=True)
        return chat_dto(live.chat)

    async def cancel_message(self, message_id: str) -> dict[str, Any]:
        """Take back a message that waits; raises Problem 409 for one that does not."""
        live, message = self._ledger.find_message(message_id)
        queued = live.queued()
        if message not in queued:
            detail = f"message {message_id} is {message.status.value}; only queued ones can be cancelled"
            raise Problem(409, "message_not_queued", detail)
        first = queued.index(message) // 2 * 2
        cancelled = [one.to(MessageStatus.CANCELLED, now()) for one in queued[first : first + 2]]
        await self._ledger.change(live, *cancelled)
        return live.event_of(message_id).data

    async def delete(self, chat_id: str) -> None:
        """Stop the chat, and forget it and those below it."""
        live = self._ledger.find(chat_id)
        await self._driving.stop(live)
        for child in self._store.children_of(chat_id):
            await self.delete(child)
        # Somebody may have said something meanwhile.
        await self._driving.stop(live)
        await self._ledger.forget(live)

    def recover(self) -> None:
        """Take up the turns an earlier engine left unfinished."""
        for chat_id in self._store.unfinished_chats():
            self._driving.start(self._ledger.find(chat_id))


def _bind(idempotency: Idempotency, message_id: str, at: float, db: sqlite3.Connection) -> None:
    keys.insert(db, idempotency, message_id, at)


def _from_row(row: tuple[Any, ...]) -> Chat:
    return chat_from(row[0])
