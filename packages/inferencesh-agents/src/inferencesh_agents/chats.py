"""The routes of chats and of the tools that wait in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from inferencesh_core.errors import APIError
from inferencesh_core.json_codec import dumps

from .chat import Turn, name_of
from .following import chat_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferencesh_core.context import ClientContext
    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.types import ChatDTO

_LEAVING_SECONDS = 5.0
"""How long stopping on the way out may take: somebody waits to be let go."""


class Chats:
    """Asks about chats."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api

    def begin(self, body: Mapping[str, Any]) -> Flow[Turn]:
        """Send a message."""
        return Turn.of((yield from self._api.call("POST", "/agents/run", body, creates=True)))

    def get(self, chat_id: str) -> Flow[ChatDTO]:
        """Give a chat as it is now."""
        chat = yield from self._api.call("GET", chat_path(chat_id))
        if not isinstance(chat, dict):
            raise APIError(200, f"the server's answer for chat {chat_id} is no chat: {chat!r:.80}")
        return chat  # type: ignore[return-value]  # as the API gives it

    def stop(self, chat_id: str, *, leaving: bool = False) -> Flow[None]:
        """Stop what a chat is doing."""
        seconds = _LEAVING_SECONDS if leaving else None
        yield from self._api.call("POST", f"{chat_path(chat_id)}/stop", repeatable=True, seconds=seconds)

    def submit(self, invocation_id: str, result: str) -> Flow[None]:
        """Give the result of a tool."""
        # The server takes the first result and refuses any other, so sending one twice does no harm.
        yield from self._api.call("POST", _tool_path(invocation_id), {"result": result}, repeatable=True)

    def approve(self, invocation_id: str, arguments: Mapping[str, Any] | None) -> Flow[None]:
        """Let a tool run."""
        body = None if arguments is None else {"arguments": arguments}
        yield from self._api.call("POST", f"{_tool_path(invocation_id)}/invoke", body, repeatable=True)

    def reject(self, invocation_id: str, reason: str | None) -> Flow[None]:
        """Refuse to let a tool run."""
        body = {} if reason is None else {"reason": reason}
        yield from self._api.call("POST", f"{_tool_path(invocation_id)}/reject", body, repeatable=True)

    def always_allow(
        self, chat_id: str, invocation_id: str, name: str, arguments: Mapping[str, Any] | None = None
    ) -> Flow[None]:
        """Let a tool run, now and the next times in this chat."""
        body = {"tool_name": name, **({} if arguments is None else {"arguments": arguments})}
        path = f"{chat_path(chat_id)}{_tool_path(invocation_id)}/always-allow"
        yield from self._api.call("POST", path, body, repeatable=True)

    def invocation(self, chat_id: str, invocation_id: str) -> Flow[Mapping[str, Any] | None]:
        """Look an invocation up in its chat's record; ``None`` when it is not there."""
        chat = yield from self.get(chat_id)
        for message in chat.get("chat_messages") or ():
            for invocation in message.get("tool_invocations") or ():
                if invocation.get("id") == invocation_id:
                    return invocation
        return None

    def tool_name(self, chat_id: str, invocation_id: str) -> Flow[str]:
        """Give the name of the tool an invocation calls.

        Raises:
            ValueError: the chat has no such invocation.
        """
        invocation = yield from self.invocation(chat_id, invocation_id)
        if invocation is None:
            raise ValueError(f"chat {chat_id} has no tool invocation {invocation_id!r}; give its tool_name")
        return name_of(invocation)


def result_body(result: str | Mapping[str, Any]) -> str:
    """Give the text of a result or of an action.

    Raises:
        TypeError: it is neither, or has no JSON form.
    """
    if isinstance(result, str):
        return result
    if not isinstance(result, dict):
        raise TypeError(f"a tool's result is a text or a dictionary, not {result!r:.80}")
    return dumps(result).decode()


def _tool_path(invocation_id: str) -> str:
    if not invocation_id or not isinstance(invocation_id, str):
        raise ValueError(f"the id of a tool invocation is a non-empty string, not {invocation_id!r}")
    return f"/tools/{quote(invocation_id, safe='')}"
