"""The tool invocations of one message, side by side: one that breaks does not stop the others."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ..clock import now
from ..domain.chat import InvocationStatus, status_during
from .tools.runner import Invocation, ToolError, ToolOutcome

if TYPE_CHECKING:
    from ..domain.chat import Chat, Message, ToolInvocation
    from .ledger import LiveChat
    from .services import TurnServices
    from .toolset import Toolset

_log = logging.getLogger("inferencesh.engine")
_RESUMABLE = ("app", "agent", "internal")
"""Types whose runners may be asked again: what they start is found again, or is started once."""


class ToolRuns:
    """Runs what the engine can run, and waits for what people do.

    Args:
        seconds: How long the tools may work; None is for ever.
    """

    def __init__(
        self, services: TurnServices, live: LiveChat, toolset: Toolset, seconds: float | None
    ) -> None:
        self._services = services
        self._live = live
        self._toolset = toolset
        self._seconds = seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._longest = 0.0

    async def finish(self, message: Message) -> float:
        """Return when all invocations of the message are over, with the seconds that tools worked."""
        try:
            while unfinished := [one for one in self._live.of_message(message.id) if not one.status.terminal]:
                self._live.moved.clear()
                for one in unfinished:
                    await self._look_at(one)
                await self._live.moved.wait()
        finally:
            await self._stop()
        return self._longest

    async def _look_at(self, invocation: ToolInvocation) -> None:
        """Take the next step with it, where it is the engine's to take."""
        if invocation.status.waits:
            return
        if (running := self._running.get(invocation.id)) is not None:
            if running.done():
                running.result()  # it has failed where it must not
            return
        if invocation.type == "client":
            await self._change(invocation.id, **self._toolset.client_move)
            return
        running = self._running[invocation.id] = asyncio.ensure_future(self._run(invocation))
        running.add_done_callback(lambda _: self._live.moved.set())

    async def _stop(self) -> None:
        running = [task for task in self._running.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _run(self, invocation: ToolInvocation) -> None:
        began = time.monotonic()
        outcome = await self._outcome(invocation)
        self._longest = max(self._longest, time.monotonic() - began)
        await self._settle(invocation.id, outcome)

    async def _outcome(self, invocation: ToolInvocation) -> ToolOutcome:
        try:
            self._refuse_to_repeat(invocation)
            await self._change(invocation.id, InvocationStatus.IN_PROGRESS)
            run = self._services.registry.run(
                self._described(invocation), partial(self._started, invocation.id)
            )
            return self._checked(await asyncio.wait_for(run, self._seconds))
        except ToolError as error:
            return ToolOutcome(text=str(error), failed=True)
        except (asyncio.TimeoutError, TimeoutError):
            limit = self._services.config.max_turn_seconds
            return ToolOutcome(
                text=f"stopped: the turn has reached {limit} s (max_turn_seconds)", failed=True
            )
        except Exception:  # noqa: BLE001 - runners are plugins, too
            _log.exception("tool %s of chat %s has failed", invocation.name, self._live.id)
            return ToolOutcome(text="the tool failed in the engine, whose log says why", failed=True)

    def _refuse_to_repeat(self, invocation: ToolInvocation) -> None:
        began = invocation.status is InvocationStatus.IN_PROGRESS
        interrupted = began and invocation.updated_at < self._services.started_at
        if interrupted and invocation.type not in _RESUMABLE:
            raise ToolError("the engine was restarted while this ran; it may have had its effect or not")

    def _described(self, invocation: ToolInvocation) -> Invocation:
        chat = self._live.chat
        arguments: Any = invocation.arguments
        return Invocation(
            id=invocation.id,
            chat_id=chat.id,
            call_id=invocation.call_id,
            name=invocation.name,
            arguments=arguments,
            tool=self._toolset.tools[invocation.name],
            context=chat.context,
            execution_id=invocation.execution_id,
            depth=chat.depth,
        )

    def _checked(self, outcome: ToolOutcome) -> ToolOutcome:
        size, limit = len(outcome.text.encode()), self._services.config.max_tool_result_bytes
        if size > limit:
            raise ToolError(f"the result has {size} bytes, more than the {limit} a tool may give")
        return outcome

    async def _started(self, invocation_id: str, execution_id: str) -> None:
        await self._change(invocation_id, InvocationStatus.IN_PROGRESS, execution_id=execution_id)

    async def _settle(self, invocation_id: str, outcome: ToolOutcome) -> None:
        shown = {"data": outcome.data, "widget": dict(outcome.widget) if outcome.widget is not None else None}
        if outcome.awaits_input and not outcome.failed:
            await self._change(invocation_id, InvocationStatus.AWAITING_INPUT, **shown)
            return
        status = InvocationStatus.FAILED if outcome.failed else InvocationStatus.COMPLETED
        ends = outcome.ends_turn and not outcome.failed
        output = {"output": outcome.output} if ends else {}
        await self._change(
            invocation_id, status, chat_changes=output, result=outcome.text, ends_turn=ends, **shown
        )

    async def _change(self, invocation_id: str, status: InvocationStatus, **changes: Any) -> None:
        await change_invocation(self._services, self._live, invocation_id, status, **changes)


async def change_invocation(
    services: TurnServices,
    live: LiveChat,
    invocation_id: str,
    status: InvocationStatus,
    *,
    chat_changes: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Move an invocation, and the chat with it where that means that it waits or waits no more."""
    at = now()
    moved = live.invocations[invocation_id].to(status, at, **changes)
    others = [one for one in live.of_message(moved.message_id) if one.id != invocation_id]
    chat = live.chat.to(status_during([moved, *others]), at, **(chat_changes or {}))
    same = chat.status is live.chat.status and not chat_changes
    records: tuple[Chat | ToolInvocation, ...] = (moved,) if same else (chat, moved)
    await services.ledger.change(live, *records)
