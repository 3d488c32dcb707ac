"""One turn of a chat: the model is called, then its tools, then the model again, until nothing is left to do.

All that a turn knows is in the chat's records: one that was cut off by a restart goes on with `run` again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..acceptance import new_id
from ..clock import now
from ..domain.chat import ChatStatus, InvocationStatus, Message, MessageStatus, status_during
from ..domain.idempotency import Idempotency
from ..domain.problems import Problem
from ..domain.task import TaskStatus
from .configuration import parse_agent
from .conversation import answer_in, model_input
from .tool_runs import ToolRuns
from .toolset import open_toolset

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from ..domain.chat import Chat, ToolInvocation
    from ..domain.views import TaskEvent
    from .configuration import AgentConfig
    from .conversation import Answer
    from .ledger import LiveChat
    from .services import TurnServices
    from .toolset import Toolset

T = TypeVar("T")

_log = logging.getLogger("inferencesh.engine")


class Turn:
    """The turn that a chat is in."""

    _config: AgentConfig

    def __init__(self, services: TurnServices, live: LiveChat) -> None:
        self._services = services
        self._live = live
        self._spent = 0.0
        self._known_toolset: Toolset | None = None

    async def run(self) -> None:
        """Go on until the turn is over; what fails is a failed message."""
        try:
            self._config = parse_agent(self._live.chat.agent.config)
            while await self._step():
                pass
        except Problem as problem:
            await self._fail(problem.detail)
        except Exception:  # noqa: BLE001 - it ends this turn, and no other
            _log.exception("chat %s: the turn has failed", self._live.id)
            await self._fail("the engine failed to go on; its log says why")

    async def _step(self) -> bool:
        """One call of the model and of the tools it asks for; gives whether another is to come."""
        message = self._live.turn_messages()[-1]
        if message.status is MessageStatus.PENDING:
            message = await self._write(message)
        if self._live.stopping is not None:
            raise asyncio.CancelledError
        if message.status is not MessageStatus.READY:
            await self._rest(ChatStatus.IDLE)
            return False
        invocations = self._live.of_message(message.id)
        if invocations:
            toolset = await self._toolset()
            runs = ToolRuns(self._services, self._live, toolset, self._seconds_left())
            self._spent += await runs.finish(message)
            invocations = self._live.of_message(message.id)
        ended = any(one.ends_turn for one in invocations)
        if ended or not invocations:
            await self._rest(ChatStatus.COMPLETED if ended else ChatStatus.IDLE)
            return False
        await self._ask_again()
        return True

    async def _ask_again(self) -> None:
        live, at = self._live, now()
        message = pending_answer(live.chat, live.next_order(), at)
        await self._services.ledger.change(live, *self._moved(ChatStatus.BUSY, at), message)
        reached = self._limit_reached()
        if reached is not None:
            raise Problem(422, "turn_limit", reached)

    def _limit_reached(self) -> str | None:
        config, messages = self._services.config, self._live.turn_messages()
        if len(self._live.messages) > config.max_chat_messages:
            return f"the chat has reached {config.max_chat_messages} messages (max_chat_messages)"
        steps, name = self._step_limit()
        if len(messages) > steps:
            return f"the turn has called the model {steps} times, which is its limit ({name})"
        tokens = sum(message.tokens for message in messages)
        if config.max_turn_tokens is not None and tokens >= config.max_turn_tokens:
            return f"the turn has taken {tokens} of {config.max_turn_tokens} tokens (max_turn_tokens)"
        return None

    def _step_limit(self) -> tuple[int, str]:
        """The lower of the agent's own limit and the engine's, and what it is called."""
        own, engines = self._config.max_steps, self._services.config.max_turn_steps
        if own is not None and own <= engines:
            return own, "the agent's max_tool_iterations"
        return engines, "max_turn_steps"

    def _seconds_left(self) -> float | None:
        limit = self._services.config.max_turn_seconds
        return None if limit is None else max(0.0, limit - self._spent)

    async def _toolset(self) -> Toolset:
        if self._known_toolset is None:
            registry, top_level = self._services.registry, self._live.chat.parent_id is None
            self._known_toolset = await open_toolset(self._config, registry, top_level=top_level)
            await self._give_notice(self._known_toolset.notices)
        return self._known_toolset

    async def _give_notice(self, notices: Iterable[str]) -> None:
        """Let the callers see what the agent lacks."""
        chat = self._live.chat
        if list(notices) != list(chat.notices):
            await self._services.ledger.change(
                self._live, chat.to(chat.status, now(), notices=tuple(notices))
            )

    async def _write(self, message: Message) -> Message:
        """Have the core app write the message."""
        began = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._answer(message), self._seconds_left())
        except (asyncio.TimeoutError, TimeoutError):
            await self._stop_task()
            seconds = self._services.config.max_turn_seconds
            raise Problem(
                422, "turn_limit", f"the turn took more than {seconds} s (max_turn_seconds)"
            ) from None
        finally:
            self._spent += time.monotonic() - began
        return await self._written(self._live.messages[message.id], answer)

    async def _answer(self, message: Message) -> Answer:
        task_id = message.task_id
        if task_id is None:
            # Cancelling the turn must not lose sight of a task that is just being accepted.
            task_id = await _uncut(self._start(message, await self._request(message)))
        newest: TaskEvent | None = None
        async for newest in self._services.tasks.follow(task_id):
            if not newest.terminal:
                self._show(message.id, answer_in(newest.state.output.value))
        if newest is None or not newest.terminal:
            raise asyncio.CancelledError  # the engine stops
        return _final(newest)

    async def _request(self, message: Message) -> dict[str, Any]:
        """What the core app is asked."""
        toolset = await self._toolset()
        live = self._live
        earlier = [one for one in live.in_order() if one.order < message.order]
        invocations = {one.id: live.of_message(one.id) for one in earlier}
        fresh = model_input(self._config, earlier, invocations, toolset.offered.values())
        return {
            **self._config.core_app,
            "setup": self._config.setup,
            "input": self._services.shown.value(await self._services.fitted(self._config.core_app, fresh)),
            "metadata": {"chat_id": live.id, "chat_message_id": message.id},
        }

    async def _start(self, message: Message, body: Mapping[str, Any]) -> str:
        """Begin the core app's task: one for each message, however often this is tried."""
        key = Idempotency(message.id, "chat_message", message.id)
        task_id: str = (await self._services.tasks.run(body, idempotency=key)).task["id"]
        live, begun = self._live, replace(self._live.messages[message.id], task_id=task_id)
        await self._services.ledger.change(live, begun)
        return task_id

    async def stop(self) -> None:
        """End what is left of a turn whose `run` was cancelled: its task, its message, its invocations."""
        await self._stop_task()
        live, at = self._live, now()
        message = live.turn_messages()[-1]
        cancelled = [message.to(MessageStatus.CANCELLED, at)] if message.open else []
        invocations = cancelled_invocations(live, message.id, at)
        queued = [one.to(MessageStatus.CANCELLED, at) for one in live.queued()]
        moved = self._moved(ChatStatus.IDLE, at) if not live.chat.status.at_rest else ()
        await self._services.ledger.change(live, *cancelled, *invocations, *queued, *moved)

    async def _stop_task(self) -> None:
        message = self._live.turn_messages()[-1]
        if message.open and message.task_id is not None:
            with suppress(Problem):
                await self._services.tasks.cancel(message.task_id)

    def _show(self, message_id: str, answer: Answer) -> None:
        message = self._live.messages[message_id]
        if answer.parts and answer.parts != message.parts:
            shown = message.to(MessageStatus.PENDING, now(), parts=answer.parts)
            self._services.ledger.show(self._live, shown)

    async def _written(self, message: Message, answer: Answer) -> Message:
        """Keep the whole message; without tool calls it is the last one of the turn."""
        live, at = self._live, now()
        ready = message.to(MessageStatus.READY, at, parts=answer.parts, tokens=answer.tokens)
        invocations = await self._invocations(ready, answer) if answer.calls else []
        status = status_during(invocations) if invocations else ChatStatus.IDLE
        if live.chat.parent_id is not None:
            _log_approvals(live.chat, invocations)
        await self._services.ledger.change(live, ready, *invocations, *self._moved(status, at))
        return ready

    def _moved(self, status: ChatStatus, at: float) -> Iterable[Chat]:
        chat = self._live.chat
        return () if chat.status is status else (chat.to(status, at),)

    async def _invocations(self, message: Message, answer: Answer) -> list[ToolInvocation]:
        toolset, allowed = await self._toolset(), self._live.chat.always_allowed
        made = [toolset.invocation(message, *each, allowed) for each in enumerate(answer.calls)]
        limit = self._services.config.max_tool_calls_at_once
        too_many = f"not run: a message may call {limit} tools at once (max_tool_calls_at_once)"
        late = [replace(one, status=InvocationStatus.FAILED, result=too_many) for one in made[limit:]]
        return [*made[:limit], *late]

    async def _rest(self, status: ChatStatus) -> None:
        if not self._live.chat.status.at_rest:
            await self._services.ledger.change(self._live, self._live.chat.to(status, now()))

    async def _fail(self, reason: str) -> None:
        """End the turn with a message that says why."""
        live, at = self._live, now()
        last = message = live.turn_messages()[-1]
        if not last.open:
            message = pending_answer(live.chat, live.next_order(), at)
        text = "".join(part.get("text") or "" for part in message.parts if part["type"] == "text")
        others = tuple(part for part in message.parts if part["type"] != "text")
        parts = (*others, {"type": "text", "text": text, "error": reason})
        failed = message.to(MessageStatus.FAILED, at, parts=parts)
        open_ones = cancelled_invocations(live, last.id, at)
        await self._services.ledger.change(live, failed, *open_ones, *self._moved(ChatStatus.IDLE, at))


def pending_answer(chat: Chat, order: int, at: float) -> Message:
    """An assistant's message that is to be written."""
    return Message(
        id=new_id(),
        chat_id=chat.id,
        created_at=at,
        updated_at=at,
        order=order,
        role="assistant",
        status=MessageStatus.PENDING,
    )


def cancelled_invocations(live: LiveChat, message_id: str, at: float) -> list[ToolInvocation]:
    """The open invocations of a message, ended because its turn is."""
    result = "cancelled: the turn was ended before this was done"
    unfinished = [one for one in live.of_message(message_id) if not one.status.terminal]
    return [one.to(InvocationStatus.CANCELLED, at, result=result) for one in unfinished]


def _log_approvals(chat: Chat, invocations: Iterable[ToolInvocation]) -> None:
    """Say what waits in a chat below another: whoever follows that one does not see it."""
    for one in invocations:
        if one.status is InvocationStatus.AWAITING_APPROVAL:
            _log.warning(
                "agent %s waits for the approval of its tool %s in chat %s, below chat %s; "
                "decide it with POST /tools/%s/invoke or /reject",
                *(chat.agent.ref or chat.agent.name, one.name, chat.id, chat.parent_id, one.id),
            )


async def _uncut(doing: Coroutine[Any, Any, T]) -> T:
    """Have it done, also when we are cancelled meanwhile."""
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _final(event: TaskEvent) -> Answer:
    state = event.state
    if state.status is not TaskStatus.COMPLETED:
        reason = state.error or f"task {event.subject} was {state.status.name.lower()}"
        raise Problem(422, "core_app_failed", f"the agent's model failed: {reason}")
    output: Any = state.output.value
    answer = answer_in(output)
    if not isinstance(output, dict) or (not answer.calls and not isinstance(output.get("response"), str)):
        detail = "the agent's model gave neither a response nor tool calls; is it a language model app?"
        raise Problem(422, "core_app_failed", detail)
    return answer
