"""What the engine hands to the worker pool, and what the pool tells it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from .values import value

if TYPE_CHECKING:
    from ..catalog import App


@value(frozen=True, kw_only=True)
class Job:
    """One attempt at one task.

    Attributes:
        function: None means the app's default function.
        setup: The setup values as the caller gave them; part of the worker's identity.
        metadata: What the app sees as its metadata, besides what the worker knows itself.
        session: The session whose worker does it; None lets any suitable worker.
        at_once: Whether a worker that is ready enters the app's code with the call: no file has to be
            fetched first.
    """

    task_id: str
    attempt: int
    app: App
    function: str | None
    setup: Any = None
    input: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    at_once: bool = False


@value(frozen=True)
class FunctionDescription:
    """One entry point of an app and the JSON Schemas of what goes in and comes out."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None


@value(frozen=True)
class Description:
    """What a loaded app says about itself."""

    functions: Mapping[str, FunctionDescription]
    default_function: str = "run"
    setup_schema: Mapping[str, Any] | None = None

    def function(self, name: str | None) -> FunctionDescription | None:
        """The function of this name (None: the default one); None when there is none."""
        return self.functions.get(name or self.default_function)


@value(frozen=True)
class LoadFailure:
    """Why an app could not be loaded: one line, and the traceback."""

    error: str
    traceback: str = ""


class PoolObserver(Protocol):
    """Who hears what becomes of jobs. Plain calls on the event loop, cheap; none of them may raise.

    Every call names the attempt, so that a late word of an old one is recognised and dropped.
    """

    def on_status(self, task_id: str, attempt: int, status: int) -> None:
        """The attempt stands at this status now: queued, dispatched, preparing, serving or setting up."""

    def on_log(self, task_id: str | None, attempt: int, log_type: int, text: str) -> None:
        """Text for the task's log; a None task is the worker's own and belongs to no task."""

    def on_started(self, task_id: str, attempt: int, worker_id: str) -> None:
        """The function has been entered."""

    def on_output(self, task_id: str, attempt: int, output: Any) -> None:
        """A partial output, complete so far: it replaces the one before."""

    def on_result(self, task_id: str, attempt: int, output: Any) -> None:
        """The function has returned its final output."""

    def on_failed(self, task_id: str, attempt: int, kind: str, error: str, traceback: str) -> None:
        """The attempt failed. `kind` is the worker's, or load_failed, setup_failed, worker_died, timeout."""

    def on_cancelled(self, task_id: str, attempt: int) -> None:
        """The attempt has ended because it was cancelled; nothing of it runs any more."""

    def on_held(self, session: str, worker_id: str) -> None:
        """The session has this worker from now on."""

    def on_lost(self, session: str) -> None:
        """The worker of the session has died; jobs that waited for it are dropped without a word."""
