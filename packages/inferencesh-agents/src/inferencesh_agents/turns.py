"""A turn: one message, everything that happens because of it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING, Any, TypedDict, cast

from inferencesh_core.flow.effects import call, through

from .chat import ChatView, text_of
from .deltas import Delta, Deltas, TurnDone, told
from .errors import TurnCancelledError, TurnFailedError
from .following import ChatFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inferencesh_core.context import ClientContext
    from inferencesh_core.flow.effects import Feed
    from inferencesh_core.follow_options import FollowOptions
    from inferencesh_core.types import ChatDTO, ChatMessageDTO, FileRef

    from .approvals import OnApproval
    from .attachments import Attachable
    from .calls import Calls, Shift
    from .chat import Change
    from .tools.call import ToolCallInfo


_log = getLogger("inferencesh")


class SendOptions(TypedDict, total=False):
    """The options of `Agent.send_message`, described there."""

    files: Iterable[Attachable] | None
    on_message: Callable[[ChatMessageDTO], Any] | None
    on_tool_call: Callable[[ToolCallInfo], Any] | None
    on_approval: OnApproval | None
    attachments: Iterable[FileRef] | None
    timeout: float | None
    stop_on_exit: bool


@dataclass(frozen=True)
class Hearers:
    """Whom a stretch of following tells."""

    on_chat: Callable[[ChatDTO], Any] | None = None
    on_message: Callable[[ChatMessageDTO], Any] | None = None


class Conduct:
    """Follows a chat, tells its hearers, and acts on what it waits for.

    Args:
        context: Where the chat is.
        view: What is known of it.
        calls: The agent's claims.
        shift: Whom tool calls and approvals are put to.
        hearers: Whom changes are told.
    """

    def __init__(
        self, context: ClientContext, view: ChatView, calls: Calls, shift: Shift, hearers: Hearers
    ) -> None:
        self._context = context
        self._view = view
        self._calls = calls
        self._shift = shift
        self._hearers = hearers
        self._deltas = Deltas()
        self._noticed: set[str] = set()

    def follow(self, options: FollowOptions, since: float | None = None) -> Feed[Delta, None]:
        """Emit what happens, piece by piece, until the chat or its turn is over."""
        follower = ChatFollower(self._context, self._view, options)
        try:
            yield from through(follower.changes(since), self._take)
        finally:
            self._shift.is_over = True

    def _take(self, change: Change) -> Feed[Delta, None]:
        for message in change.messages:
            if self._view.concerns(message):
                if self._hearers.on_message is not None:
                    yield from call(self._hearers.on_message, message)
                for delta in self._deltas.of(message):
                    yield from told(delta)
        if change.chat is not None:
            self._log_notices(change.chat)
            if self._hearers.on_chat is not None:
                yield from call(self._hearers.on_chat, change.chat)
        if not self._view.is_over:
            due = self._view.due()
            yield from self._calls.serve(self._view.chat_id, due, self._shift)
            if self._shift.hands_back and self._view.waits and self._calls.are_left(due):
                self._view.is_over = True

    def _log_notices(self, chat: Mapping[str, Any]) -> None:
        """Log what the agent lacks, as an engine tells it (`notices`, which other servers do not have)."""
        for notice in chat.get("notices") or ():
            if notice not in self._noticed:
                self._noticed.add(notice)
                _log.warning("chat %s: %s", self._view.chat_id, notice)


def ended(view: ChatView) -> TurnDone:
    """Give how a turn ended that was stopped or came to its end.

    Raises:
        TurnFailedError: it failed.
    """
    turn = view.turn
    message = view.answer() or (turn.answer if turn else cast("ChatMessageDTO", {}))
    chat = view.chat or cast("ChatDTO", {"id": view.chat_id})
    if message.get("status") == "failed":
        raise TurnFailedError(f"chat {view.chat_id}: {_reason(message)}", chat, message)
    return TurnDone(message, chat)


def completed(done: TurnDone) -> TurnDone:
    """Give it back if it came to its end.

    Raises:
        TurnCancelledError: it was stopped.
    """
    if done.is_stopped:
        chat_id = done.message.get("chat_id")
        raise TurnCancelledError(f"chat {chat_id}: the turn was stopped", done.chat, done.message)
    return done


def _reason(message: ChatMessageDTO) -> str:
    errors = [part.get("error") for part in message.get("content") or ()]
    return "; ".join(error for error in errors if error) or text_of(message) or "the turn failed"
