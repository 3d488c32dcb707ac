"""What can go wrong with an agent.

APIError
└── AgentAPIError           the server refused something of an agent; also a RuntimeError
    └── ChatNotFoundError   404: there is no such chat, or it is somebody else's
InferenceError
└── AgentError              a turn did not come to a good end; also a RuntimeError
    ├── TurnFailedError     the model or its app failed
    ├── TurnCancelledError  somebody stopped it, where a result was asked for
    ├── TurnTimeoutError    it was not over in time; also a TimeoutError
    └── OutputError         the output is not what was asked for; also a ValueError
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inferencesh_core.errors import APIError, InferenceError

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request
    from inferencesh_core.http.problems import Problem
    from inferencesh_core.types import ChatDTO, ChatMessageDTO

_ROUTE = re.compile(r"https?://[^/?]+(?:/(?:api|v\d+))*/(agents|chats|tools)(?:[/?]|$)")


class AgentAPIError(APIError, RuntimeError):
    """The server refused a call about an agent, a chat or a tool. 0.7.8 raised bare `RuntimeError`s here."""


class ChatNotFoundError(AgentAPIError):
    """There is no such chat, or it is not yours."""


class AgentError(InferenceError, RuntimeError):
    """A turn that did not come to a good end.

    Attributes:
        chat: The chat as last seen, None when nothing was heard of it.
        message: The turn's last assistant message, None when there was none.
    """

    def __init__(self, text: str, chat: ChatDTO | None = None, message: ChatMessageDTO | None = None) -> None:
        super().__init__(text)
        self.chat = chat
        self.message = message


class TurnFailedError(AgentError):
    """The assistant's message failed: the model's app raised, or a limit was reached."""


class TurnCancelledError(AgentError):
    """The turn was stopped before there was a result, also while a tool of it ran or waited."""


class TurnTimeoutError(AgentError, TimeoutError):
    """The wait was over before the turn was; the turn goes on, unless ``stop_on_exit`` asked to stop it."""


class OutputError(AgentError, ValueError):
    """The chat's output is not of the type asked for.

    Attributes:
        output: What came instead.
    """

    def __init__(self, text: str, output: Any, chat: ChatDTO | None, message: ChatMessageDTO | None) -> None:
        super().__init__(text, chat, message)
        self.output = output


def agent_error(problem: Problem, request: Request) -> AgentAPIError | None:
    """Give the error of a route of this package, None for any other, and for missing requirements."""
    route = _ROUTE.match(request.url)
    if route is None or (problem.status == 412 and problem.errors is not None):
        return None
    missing = problem.status == 404 and route[1] == "chats"
    kind = ChatNotFoundError if missing else AgentAPIError
    return kind(problem.status, problem.message, problem.body_text)
