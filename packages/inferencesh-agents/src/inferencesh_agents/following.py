"""Following a chat through every kind of trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from inferencesh_core.errors import APIError, StreamError
from inferencesh_core.flow.effects import emit
from inferencesh_core.listening import Listener

from .chat import Change
from .errors import TurnTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferencesh_core.context import ClientContext
    from inferencesh_core.flow.effects import Feed, Flow
    from inferencesh_core.follow_options import FollowOptions

    from .chat import ChatView

_MESSAGES_ASKED = 100

_LEFT = "it goes on, and stream_all takes it up again"
_STOPPED = "the server is asked to stop it, for stop_on_exit is set"


class ChatFollower(Listener[Change]):
    """Follows one chat until its view says that it is over.

    Args:
        context: Where the chat is.
        view: What is known of it.
        options: How to follow.
    """

    def __init__(self, context: ClientContext, view: ChatView, options: FollowOptions) -> None:
        super().__init__(context.api, context.config, options, chat_path(view.chat_id))
        self._view = view

    def changes(self, since: float | None = None) -> Feed[Change, None]:
        """Emit what each line changes, heartbeats included, until the chat or its turn is over.

        Args:
            since: When the time began that the options limit; ``None`` is now.

        Raises:
            TurnTimeoutError: the time was over first; the options say whether the turn goes on.
            TransportError: the server could not be reached, time and again.
            StreamError: the stream broke and was not to be reconnected.
            ChatNotFoundError: there is no such chat.
            APIError: the server refused.
        """
        yield from self.start_clock(since)
        yield from self.listen()

    @property
    def _name(self) -> str:
        return f"chat {self._view.chat_id}"

    def _is_over(self) -> bool:
        return self._view.is_over

    def _take(self, lines: Iterator[object]) -> Feed[Change, bool]:
        heard_more = False
        for line in lines:
            heard_more = True
            self._progressed()
            yield from emit(self._view.accept(line))
            if self._view.is_in_doubt:
                yield from self._look()
        return heard_more

    def _look(self) -> Feed[Change, None]:
        left = yield from self.time_left()
        chat = yield from self._api.call("GET", self._path, seconds=left)
        if not isinstance(chat, dict):
            raise StreamError(f"the server's answer for {self._name} is no chat: {chat!r:.80}")
        messages = chat.get("chat_messages") or (yield from self._messages(left))
        yield from emit(self._view.reconcile(chat, messages))

    def _messages(self, seconds: float | None) -> Flow[list[Any]]:
        """Ask for the messages that newer servers leave out of the chat."""
        try:
            path = f"{self._path}/messages?limit={_MESSAGES_ASKED}"
            page = yield from self._api.call("GET", path, seconds=seconds)
        except APIError as error:
            if error.status_code not in {404, 405}:
                raise
            return []
        items = page.get("items") if isinstance(page, dict) else page
        return items if isinstance(items, list) else []

    def _overdue(self) -> TurnTimeoutError:
        outcome = _STOPPED if self._options.cancel_on_exit else _LEFT
        text = (
            f"chat {self._view.chat_id}: the turn was not over within {self._options.timeout:g} s; {outcome}"
        )
        return TurnTimeoutError(text, self._view.chat, self._view.answer())


def chat_path(chat_id: str) -> str:
    """Give the route of a chat.

    Raises:
        ValueError: that is no id.
    """
    if not chat_id or not isinstance(chat_id, str):
        raise ValueError(f"a chat id is a non-empty string, not {chat_id!r}")
    return f"/chats/{quote(chat_id, safe='')}"
