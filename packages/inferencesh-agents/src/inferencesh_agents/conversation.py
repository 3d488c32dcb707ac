"""An agent and its present chat: sending, following, deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferencesh_core.errors import APIError
from inferencesh_core.flow.effects import afterwards, emit, now, result_of, through
from inferencesh_core.follow_options import FollowOptions

from .attachments import Attachments, listed
from .calls import Calls, Shift
from .chat import ChatView, Turn
from .chats import Chats, result_body
from .config import AgentConfig, AgentSpec
from .deltas import told
from .errors import OutputError
from .following import ChatFollower
from .turns import Conduct, Hearers, SendOptions, completed, ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Unpack

    from inferencesh_core.context import ClientContext
    from inferencesh_core.flow.effects import Feed, Flow
    from inferencesh_core.types import ChatDTO, ChatMessageDTO, FileRef

    from .approvals import OnApproval
    from .attachments import Attachable
    from .chat import Change
    from .deltas import Delta, TurnDone
    from .outputs import OutputType
    from .tools.call import ToolCallInfo

_NO_CHAT = "there is no chat yet: send a message first, or give a chat_id"

_UNSAID: dict[str, Any] = {
    "files": None,
    "on_message": None,
    "on_tool_call": None,
    "on_approval": None,
    "attachments": None,
    "timeout": None,
    "stop_on_exit": False,
}


class Conversation:
    """One agent and its present chat."""

    def __init__(
        self,
        context: ClientContext,
        who: str | AgentConfig | Mapping[str, Any],
        chat_context: dict[str, str] | None,
        chat_id: str | None,
    ) -> None:
        self.spec = AgentSpec(who)
        self.chat_id = chat_id
        self._context = context
        self._chat_context = chat_context
        self._chats = Chats(context)
        self._calls = Calls(self._context.api, self._chats, self.spec.toolbox)
        self._turn: Turn | None = None

    def send_message(
        self,
        text: str,
        files: Iterable[Attachable] | None = None,
        on_message: Callable[[ChatMessageDTO], Any] | None = None,
        on_tool_call: Callable[[ToolCallInfo], Any] | None = None,
        *,
        on_approval: OnApproval | None = None,
        attachments: Iterable[FileRef] | None = None,
        timeout: float | None = None,
        stop_on_exit: bool = False,
    ) -> Flow[ChatMessageDTO]:
        """Send a message, do what the turn asks for, and give the finished answer.

        Tools with handlers run by themselves, several at once when the model asks for several; what they
        give, and what they raise, is told the model. Callbacks may be plain or asynchronous functions; they
        come once for each change, in order, and what they raise is raised here.

        Args:
            text: What to say.
            files: Goes up first: paths, bytes, open files, data URIs, Base64, URLs, `File`s, or references
                that `upload_file` gave.
            on_message: Told of each message of the turn, whole, whenever it changed.
            on_tool_call: Told of each call of a client tool. For a tool without a handler, what it gives is
                the result; when it gives ``None``, the chat waits for `submit_tool_result`. Without it the
                message is given back with the call waiting in its ``tool_invocations``, and a warning says
                so; `run` and `stream` tell the model that such a tool is not available.
            on_approval: Decides whether a tool may run: ``True``, ``False``, ``"always"``, `Rejection` with
                a reason, or ``None`` to leave it waiting. Without it the chat waits, and a warning says so.
            attachments: References of files that are stored already.
            timeout: Seconds until `TurnTimeoutError`, uploads included; a handler that runs is not
                interrupted. The turn itself goes on, unless ``stop_on_exit`` is set. ``None`` waits as long
                as it takes.
            stop_on_exit: Stop the turn on the server when waiting ends before it does.

        Returns:
            The turn's last assistant message, ``ready``. When somebody stopped the turn, it is ``cancelled``,
            or the calls in its ``tool_invocations`` that were not over are. One that waits for
            `submit_tool_result` may be followed on with `stream_messages` or `stream_all`.

        Raises:
            ValueError: the text is empty, and no file goes with it.
            TurnFailedError: the turn failed; the error has the chat and the message.
            TurnTimeoutError: the time was over first.
            UploadError: a file cannot be read or stored.
            AgentAPIError: the server refused.
        """
        options: SendOptions = {
            "files": files,
            "on_message": on_message,
            "on_tool_call": on_tool_call,
            "on_approval": on_approval,
            "attachments": attachments,
            "timeout": timeout,
            "stop_on_exit": stop_on_exit,
        }
        hands_back = on_tool_call is None
        return (yield from result_of(self._play(text, None, hands_back=hands_back, **options))).message

    def run(self, text: str, output: OutputType | None, options: SendOptions) -> Flow[Any]:
        """Send a message and give the chat's output, ``None`` when the agent called no finish tool."""
        done = completed((yield from result_of(self._play(text, output, **options))))
        chat = done.chat
        if chat.get("output") is None:
            # The stream of an older server may tell of the end before it has the output.
            chat = yield from self._chats.get(chat.get("id") or self._known(None))
        value = chat.get("output")
        if output is None or value is None:
            return value
        try:
            return output.read(value)
        except ValueError as error:
            raise OutputError(
                f"the output is no {output.name}: {error}", value, chat, done.message
            ) from error

    def stream(self, text: str, **options: Unpack[SendOptions]) -> Feed[Delta, TurnDone]:
        """Send a message and iterate over the turn, piece by piece.

        Gives `TextDelta`, `ReasoningDelta`, `ToolCalled`, `ToolReturned`, `ApprovalRequest`, and `TurnDone`
        at the end. Tools run while it is iterated. Leaving the loop early lets the turn go on at the server,
        unless ``stop_on_exit`` is set.

        Args:
            text: What to say.
            options: Those of `send_message`.

        Raises:
            TurnFailedError: the turn failed.
            TurnTimeoutError: the time was over first.
            AgentAPIError: the server refused.
        """
        done = yield from self._play(text, None, **options)
        yield from told(done)
        return done

    def stream_messages(
        self,
        chat_id: str | bool | None = None,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
    ) -> Feed[ChatMessageDTO, None]:
        """Iterate over the messages of the chat as they change, until its turn is over.

        The user's own messages are not among them. Tools are not run here: `send_message`, `stream` and
        `stream_all` do that. Without a chat there is nothing.

        Args:
            chat_id: Another chat than the present one.
            auto_reconnect: Go on after the connection broke.
            max_reconnects: Failures in a row after which to give up.
            reconnect_delay_ms: Upper end of the first pause between tries, in milliseconds.

        Raises:
            ChatNotFoundError: there is no such chat.
            APIError: the server refused.
            TransportError: it could not be reached, time and again.
        """
        view, options = self._watching(chat_id, auto_reconnect, max_reconnects, reconnect_delay_ms)
        if view is not None:
            yield from through(
                ChatFollower(self._context, view, options).changes(),
                lambda change: _messages_of(change, view),
            )

    def stream_chat(
        self,
        chat_id: str | bool | None = None,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
    ) -> Feed[ChatDTO, None]:
        """Iterate over the states of the chat until its turn is over; see `stream_messages`."""
        view, options = self._watching(chat_id, auto_reconnect, max_reconnects, reconnect_delay_ms)
        if view is not None:
            yield from through(ChatFollower(self._context, view, options).changes(), _chats_of)

    def stream_all(
        self,
        on_chat: Callable[[ChatDTO], Any] | None = None,
        on_message: Callable[[ChatMessageDTO], Any] | None = None,
        on_tool_call: Callable[[ToolCallInfo], Any] | None = None,
        *,
        on_approval: OnApproval | None = None,
        timeout: float | None = None,
    ) -> Flow[None]:
        """Follow the present chat until its turn is over, and do what it asks for, as `send_message` does.

        It takes up a turn that was left: after a time-out, or of another process when the agent was made with
        its ``chat_id``. Without a chat it returns at once. The arguments are those of `send_message`;
        ``on_chat`` is told of the chat's states.

        Raises:
            TurnTimeoutError: the time was over first; the turn goes on.
            ChatNotFoundError: there is no such chat.
            AgentAPIError: the server refused.
        """
        if self.chat_id is None:
            return
        shift = Shift(on_tool_call, on_approval, answers_all=False)
        view = ChatView(self.chat_id, self._turn)
        conduct = Conduct(self._context, view, self._calls, shift, Hearers(on_chat, on_message))
        yield from result_of(conduct.follow(FollowOptions(timeout=timeout)))

    def get_chat(self, chat_id: str | None = None) -> Flow[ChatDTO | None]:
        """Give the chat with its messages; ``None`` when there is none yet.

        Args:
            chat_id: Another chat than the present one.

        Raises:
            ChatNotFoundError: there is no such chat.
        """
        known = chat_id or self.chat_id
        return None if known is None else (yield from self._chats.get(known))

    def stop_chat(self, chat_id: str | None = None) -> Flow[None]:
        """Stop what the agent is doing; without a chat, nothing is done.

        Args:
            chat_id: Another chat than the present one.

        Raises:
            ChatNotFoundError: there is no such chat.
        """
        known = chat_id or self.chat_id
        if known is not None:
            yield from self._chats.stop(known)

    def submit_tool_result(
        self, tool_invocation_id: str, result_or_action: str | Mapping[str, Any]
    ) -> Flow[None]:
        """Give the result of a client tool, or what was done in a widget.

        Args:
            tool_invocation_id: ``call.id`` of what ``on_tool_call`` was told.
            result_or_action: The text for the model, or a dictionary, which is sent as JSON:
                ``{"action": {"type": …}, "form_data": {…}}`` for a widget.

        Raises:
            AgentAPIError: there is no such invocation (404), or it has another result already (409).
        """
        text = result_body(result_or_action)
        try:
            yield from self._chats.submit(tool_invocation_id, text)
        except APIError as error:
            if error.status_code != 409 or not (yield from self._has_result(tool_invocation_id, text)):
                raise

    def approve_tool(self, tool_invocation_id: str, arguments: Mapping[str, Any] | None = None) -> Flow[None]:
        """Let a tool run that waits for approval.

        Args:
            tool_invocation_id: Which: ``request.id`` of an `ApprovalRequest`.
            arguments: What it was seen to be called with; the server refuses (409) when that has changed.
                ``None`` approves whatever it is.

        Raises:
            AgentAPIError: there is no such invocation (404), or it does not wait (409).
        """
        yield from self._chats.approve(tool_invocation_id, arguments)

    def reject_tool(self, tool_invocation_id: str, reason: str | None = None) -> Flow[None]:
        """Refuse to let a tool run.

        Args:
            tool_invocation_id: Which.
            reason: What the model is told.

        Raises:
            AgentAPIError: there is no such invocation (404), or it does not wait (409).
        """
        yield from self._chats.reject(tool_invocation_id, reason)

    def always_allow_tool(self, tool_invocation_id: str, tool_name: str | None = None) -> Flow[None]:
        """Let a tool run that waits for approval, and do not ask for it again in this chat.

        Args:
            tool_invocation_id: Which.
            tool_name: The tool's name; looked up in the chat when it is not given.

        Raises:
            ValueError: there is no chat yet, or it has no such invocation.
            AgentAPIError: the server refused.
        """
        chat_id = self._known(None)
        name = tool_name or (yield from self._chats.tool_name(chat_id, tool_invocation_id))
        yield from self._chats.always_allow(chat_id, tool_invocation_id, name)

    def upload_file(self, data: Attachable, filename: str | None = None) -> Flow[FileRef]:
        """Store a file, to send it along with messages.

        Args:
            data: Bytes, a path, an open file, a data URI, Base64 text, or a `File`. A text that is none of
                these is refused.
            filename: Its name, in place of the path's.

        Returns:
            Its reference: ``uri``, ``filename``, ``content_type``, ``size``.

        Raises:
            UploadError: it cannot be read or stored.
        """
        return (yield from Attachments(self._context).upload(data, filename))

    def reset(self) -> None:
        """Start a new conversation; the old chat stays as it is."""
        self.chat_id = None
        self._turn = None
        self._calls = Calls(self._context.api, self._chats, self.spec.toolbox)

    def _play(
        self,
        text: str,
        output: OutputType | None,
        *,
        hands_back: bool = False,
        **options: Unpack[SendOptions],
    ) -> Feed[Delta, TurnDone]:
        given = {**_UNSAID, **options}
        since = yield from now()
        turn = yield from self._begin(text, output, given)
        view = ChatView(turn.chat_id, turn)
        if given["stop_on_exit"]:
            yield from afterwards(self._leave(view))
        shift = Shift(given["on_tool_call"], given["on_approval"], not hands_back, hands_back)
        conduct = Conduct(self._context, view, self._calls, shift, Hearers(None, given["on_message"]))
        following = FollowOptions(timeout=given["timeout"], cancel_on_exit=given["stop_on_exit"])
        yield from conduct.follow(following, since)
        return ended(view)

    def _begin(self, text: str, output: OutputType | None, given: Mapping[str, Any]) -> Flow[Turn]:
        if not isinstance(text, str):
            raise TypeError(f"a message is a text, not {type(text).__name__}; files go into files=[...]")
        files = [*listed(given["files"], "files"), *listed(given["attachments"], "attachments")]
        if not (text or files):
            raise ValueError("the message is an empty text: say something, or give files=[...]")
        attached = (yield from Attachments(self._context).stored(files)) if files else None
        said = {"text": text, "attachments": attached, "role": "user"}
        turn = yield from self._chats.begin(
            {
                "chat_id": self.chat_id,
                **self.spec.body(output if self.chat_id is None else None),
                "context": self._chat_context,
                # The empty ones are what the published client sends, and what servers expect.
                "input": {**said, "context": [], "system_prompt": "", "context_size": 0},
            }
        )
        self.chat_id, self._turn = turn.chat_id, turn
        return turn

    def _leave(self, view: ChatView) -> Flow[None]:
        if not view.is_over:
            yield from self._chats.stop(view.chat_id, leaving=True)

    def _watching(
        self,
        chat_id: str | bool | None,
        auto_reconnect: bool,
        max_reconnects: int,
        reconnect_delay_ms: int,
    ) -> tuple[ChatView | None, FollowOptions]:
        if isinstance(chat_id, bool):
            # As in 0.7.8, where auto_reconnect came first.
            auto_reconnect = chat_id
            chat_id = None
        options = FollowOptions(auto_reconnect, max_reconnects, reconnect_delay_ms)
        known = chat_id or self.chat_id
        turn = self._turn if known == self.chat_id else None
        return (None if known is None else ChatView(known, turn)), options

    def _known(self, chat_id: str | None) -> str:
        known = chat_id or self.chat_id
        if known is None:
            raise ValueError(_NO_CHAT)
        return known

    def _has_result(self, invocation_id: str, text: str) -> Flow[bool]:
        """Tell whether a result that was refused had come through before, its answer lost."""
        if self.chat_id is None:
            return False
        invocation = yield from self._chats.invocation(self.chat_id, invocation_id)
        return invocation is not None and invocation.get("result") == text


def _messages_of(change: Change, view: ChatView) -> Feed[ChatMessageDTO, None]:
    for message in change.messages:
        if view.concerns(message):
            yield from emit(message)


def _chats_of(change: Change) -> Feed[ChatDTO, None]:
    if change.chat is not None:
        yield from emit(change.chat)
