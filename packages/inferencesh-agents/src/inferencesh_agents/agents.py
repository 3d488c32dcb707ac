"""Agents as users hold them, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from inferencesh_core.flow.faces import Async, Sync, iteration, operation

from .config import AgentConfig, chat_context
from .conversation import Conversation
from .outputs import OutputType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from inferencesh_core.flow.faces import Client

    from .turns import SendOptions

T = TypeVar("T")


class _AgentFace:
    """What both agents have.

    Args:
        client: The client to ask with.
        options: The reference of a template (``namespace/name@version``), or an `AgentConfig`.
        context: The context variables of its chats; they are fixed when a chat begins.
        chat_id: A chat to go on with; ``None`` begins one with the first message.

    Raises:
        TypeError: the configuration cannot be sent, or a tool is none.
        ValueError: two tools have one name.
    """

    send_message = operation(Conversation.send_message)
    stream = iteration(Conversation.stream)
    stream_messages = iteration(Conversation.stream_messages)
    stream_chat = iteration(Conversation.stream_chat)
    stream_all = operation(Conversation.stream_all)
    get_chat = operation(Conversation.get_chat)
    stop_chat = operation(Conversation.stop_chat)
    submit_tool_result = operation(Conversation.submit_tool_result)
    approve_tool = operation(Conversation.approve_tool)
    reject_tool = operation(Conversation.reject_tool)
    always_allow_tool = operation(Conversation.always_allow_tool)
    upload_file = operation(Conversation.upload_file)

    def __init__(
        self,
        client: Client,
        options: str | AgentConfig | Mapping[str, Any],
        context: Mapping[str, str] | None = None,
        chat_id: str | None = None,
    ) -> None:
        self._driver = client.driver
        self._subject = Conversation(client.context, options, chat_context(context), chat_id)

    @property
    def chat_id(self) -> str | None:
        """The present chat; ``None`` before the first message."""
        return self._subject.chat_id

    def reset(self) -> None:
        """Start a new conversation; the old chat stays as it is."""
        self._subject.reset()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._subject.spec} chat={self.chat_id}>"


class Agent(Sync, _AgentFace):
    """A conversation with an agent."""

    @overload
    def run(self, text: str, output_type: type[T], **options: Unpack[SendOptions]) -> T | None: ...
    @overload
    def run(self, text: str, output_type: Any = None, **options: Unpack[SendOptions]) -> Any: ...
    def run(self, text: str, output_type: Any = None, **options: Unpack[SendOptions]) -> Any:
        """Send a message, wait for the turn to end, and give what the agent finished with.

        Args:
            text: What to say.
            output_type: A pydantic model, or another type pydantic can check; the output is given as that. An
                ad-hoc agent without an ``output_schema`` that has not begun its chat is told the schema too.
            options: Those of `send_message`.

        Returns:
            ``chat.output``; ``None`` when the agent did not call its finish tool.

        Raises:
            OutputError: the output is not of that type; the error has it.
            TurnFailedError: the turn failed; the error has the chat and the message.
            TurnCancelledError: somebody stopped it, also while a tool ran or waited.
            TurnTimeoutError: the time was over first.
            AgentAPIError: the server refused.
        """
        return self._driver.run(self._subject.run(text, _typed(output_type), options))


class AsyncAgent(Async, _AgentFace):
    """The asyncio twin of `Agent`."""

    @overload
    async def run(self, text: str, output_type: type[T], **options: Unpack[SendOptions]) -> T | None: ...
    @overload
    async def run(self, text: str, output_type: Any = None, **options: Unpack[SendOptions]) -> Any: ...
    async def run(self, text: str, output_type: Any = None, **options: Unpack[SendOptions]) -> Any:
        """Send a message and give what the agent finished with; see `Agent.run`."""
        return await self._driver.run(self._subject.run(text, _typed(output_type), options))


def _typed(output_type: Any) -> OutputType | None:
    return None if output_type is None else OutputType(output_type)


class _AgentsFace:
    def __init__(self, client: Client) -> None:
        self._client = client


class AgentsAPI(_AgentsFace):
    """``client.agents``."""

    def create(self, config: str | AgentConfig | Mapping[str, Any]) -> Agent:
        """Give an agent; nothing is sent before its first message.

        Args:
            config: The reference of a template (``namespace/name@version``), or an `AgentConfig`.

        Raises:
            TypeError: the configuration cannot be sent, or a tool is none.
            ValueError: two tools have one name.
        """
        return Agent(self._client, config)


class AsyncAgentsAPI(_AgentsFace):
    """``client.agents`` of an asynchronous client."""

    def create(self, config: str | AgentConfig | Mapping[str, Any]) -> AsyncAgent:
        """Give an agent; see `AgentsAPI.create`."""
        return AsyncAgent(self._client, config)


class OpenAgent(_AgentsFace):
    """``client.agent``: call it."""

    def __call__(
        self,
        config: str | AgentConfig | Mapping[str, Any],
        context: Mapping[str, str] | None = None,
        chat_id: str | None = None,
    ) -> Agent:
        """Give an agent, with context variables or a chat to go on with.

        Args:
            config: The reference of a template (``namespace/name@version``), or an `AgentConfig`.
            context: Texts by name, which tools use as ``{{context.NAME}}``; fixed when the chat begins.
            chat_id: A chat to go on with; ``None`` begins one with the first message.
        """
        return Agent(self._client, config, context, chat_id)


class AsyncOpenAgent(_AgentsFace):
    """``client.agent`` of an asynchronous client: call it."""

    def __call__(
        self,
        config: str | AgentConfig | Mapping[str, Any],
        context: Mapping[str, str] | None = None,
        chat_id: str | None = None,
    ) -> AsyncAgent:
        """Give an agent; see `OpenAgent`."""
        return AsyncAgent(self._client, config, context, chat_id)
