"""What stands between the chat runtime and the kinds of tools it can run.

The runtime asks the runner of a tool what the model is to see of it, and has it run one invocation at a time.
Tools of type `client` have no runner: the runtime itself waits for their results.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ...catalog import Catalog
    from ...config import EngineConfig
    from ...domain.idempotency import Idempotency
    from ...domain.views import RunOutcome
    from ...pool import Pool
    from ...settings import Settings

Started = Callable[[str], Awaitable[None]]
"""Told the id of the task or chat that runs an invocation; it is on disk when this has been awaited."""

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


class ToolError(Exception):
    """The tool failed; the text is for the model: what happened, and what it may do about it."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of an agent.

    Attributes:
        type: As on the wire: `app`, `agent`, `hook`, `http`, `call`, `mcp`, `internal`, `client`.
        display_name: For people; empty when it is the name.
        spec: The object of the wire that is named like the type.
    """

    name: str
    type: str
    description: str = ""
    display_name: str = ""
    require_approval: bool = False
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Offered:
    """What the model sees of a tool; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, tool: Tool, parameters: Mapping[str, Any] | None, description: str = "") -> Offered:
        """The tool with these parameters, None being none, and a description where it has none itself."""
        return cls(tool.name, tool.description or description, parameters or NO_PARAMETERS)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One call of a tool by a model.

    Attributes:
        id: What `/tools/{id}` takes; the same after a restart of the engine.
        call_id: What the model calls it.
        arguments: They match what was offered.
        context: The chat's context variables.
        execution_id: What `started` was told before the engine restarted; None for a call that begins.
        depth: How many chats are above this one; 0 for a chat somebody started.
    """

    id: str
    chat_id: str
    call_id: str
    name: str
    arguments: Mapping[str, Any]
    tool: Tool
    context: Mapping[str, str]
    execution_id: str | None = None
    depth: int = 0


@dataclass(frozen=True, kw_only=True)
class ToolOutcome:
    """What came of an invocation.

    Attributes:
        text: The result, as the model gets it.
        failed: Whether the invocation is `failed`, though the tool could be run.
        data: What the invocation's `data` says besides; None for nothing.
        widget: What the user is to see; None for nothing.
        awaits_input: Whether the invocation waits for the user's answer to the widget, which is its result.
        output: What `finish` was called with: the chat's output.
        ends_turn: Whether the turn is over with this.
    """

    text: str
    failed: bool = False
    data: Any = None
    widget: Mapping[str, Any] | None = None
    awaits_input: bool = False
    output: Any = None
    ends_turn: bool = False


class ToolRunner(Protocol):
    """Runs the tools of one kind, for one engine."""

    async def offered(self, tool: Tool) -> Offered | None:
        """What the model sees of the tool; None hides it.

        Raises:
            ToolError: it cannot be offered now; the turn goes on without it.
        """
        ...  # pyright takes a body of words alone for one that returns None

    async def run(self, invocation: Invocation, started: Started, /) -> ToolOutcome:
        """Run it to its end. Cancelled, it stops what it has started and passes the cancellation on.

        While the engine stops it leaves tasks and chats alone: the next engine asks for them by execution id.

        Raises:
            ToolError: it failed.
        """
        ...

    async def close(self) -> None:
        """The engine stops: let go of connections and processes. What runs has been cancelled before."""


class TaskService(Protocol):
    """Tasks, as the engine runs them."""

    async def run(self, body: Mapping[str, Any], *, idempotency: Idempotency | None = None) -> RunOutcome:
        """Accept a task; it is on disk when this returns. Raises Problem."""
        ...

    async def wait(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended. Raises Problem."""
        ...

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Cancel it; gives it once it has ended."""
        ...


@dataclass(frozen=True)
class ChildEnd:
    """How the turn of a child chat ended.

    Attributes:
        text: Its last assistant message.
        output: What it called `finish` with; None when it did not.
        error: Why it failed or was stopped; None when it did neither.
    """

    text: str
    output: Any = None
    error: str | None = None


class ChatService(Protocol):
    """Chats, as the runtime keeps them."""

    async def start_child(self, invocation: Invocation, agent: Mapping[str, Any], message: str) -> str:
        """Start a chat below the invocation's, with an agent `{ref?, id?, version_id?}`; gives its id.

        It is on disk when this returns, and one invocation has one. Raises Problem.
        """
        ...

    async def child_ended(self, chat_id: str) -> ChildEnd:
        """How its turn ended, once it has. Raises Problem when there is no such chat."""
        ...

    async def stop(self, chat_id: str) -> None:
        """Stop what it does; done when this returns."""

    def agent_data(self, chat_id: str) -> Mapping[str, Any]:
        """What the chat remembers: `plan_steps`, `memory`, `always_allowed_tools`."""
        ...

    async def update_agent_data(
        self, chat_id: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> None:
        """Replace what the chat remembers by what `change` makes of it; stored and told when this returns.

        Nothing else changes it meanwhile. What `change` raises passes, and nothing is changed.
        """


@dataclass(frozen=True, kw_only=True)
class ToolServices:
    """What a runner may use of its engine.

    Attributes:
        stopping: Says whether the engine stops: what is cancelled then goes on in the next engine.
    """

    config: EngineConfig
    catalog: Catalog
    pool: Pool
    tasks: TaskService
    chats: ChatService
    settings: Settings
    stopping: Callable[[], bool]


ToolRunnerFactory = Callable[[ToolServices], ToolRunner]
"""Makes the runner of an engine; called once per engine, when the first such tool is met."""
