"""What becomes of a task whose engine or worker died under it, or whose engine stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .task import TaskStatus

if TYPE_CHECKING:
    from ..catalog import App
    from .task import TaskState

RETRY_KEY = "retry"
_NOT_BEGUN = frozenset({TaskStatus.RECEIVED, TaskStatus.QUEUED})


def runs_once(app: App | None) -> bool:
    """Whether the app opts out of running again once it may have begun."""
    return app is not None and app.manifest.metadata.get(RETRY_KEY) == "never"


def may_run_again(
    state: TaskState, app: App | None, max_attempts: int, died: Literal["engine", "worker"]
) -> bool:
    """Whether another attempt may follow.

    `metadata.retry` in the app's manifest decides: `never`, `always`, or, by default, after an engine's death
    only: what kills a worker is usually the app itself, and would kill the next.
    """
    if app is None or state.status is TaskStatus.CANCELLING or state.attempt >= max_attempts:
        return False
    return app.manifest.metadata.get(RETRY_KEY) == "always" or (died == "engine" and not runs_once(app))


def after_restart(state: TaskState, app: App | None, max_attempts: int) -> dict[str, Any] | None:
    """The change a restarted engine makes to an unfinished task; None leaves it as it is, to be submitted."""
    if state.status is TaskStatus.CANCELLING:
        return {"status": TaskStatus.CANCELLED}
    if state.status in _NOT_BEGUN:
        return None
    if may_run_again(state, app, max_attempts, "engine"):
        return _next_attempt(state)
    return {"status": TaskStatus.FAILED, "error": _reason(state, app, max_attempts)}


def at_stop(state: TaskState, app: App | None, max_attempts: int) -> dict[str, Any] | None:
    """The change an engine that stops makes to an unfinished task; None leaves it as it is.

    What may run again waits for the next engine. Nothing has died, so however often this happens is no reason
    to give up: engines behind `local:` come and go with the programs that use them.
    """
    if state.status in (*_NOT_BEGUN, TaskStatus.CANCELLING) or max_attempts == 1:
        return None
    return _next_attempt(state) if may_run_again(state, app, state.attempt + 1, "engine") else None


def _next_attempt(state: TaskState) -> dict[str, Any]:
    return {"attempt": state.attempt + 1, "status": TaskStatus.QUEUED}


def _reason(state: TaskState, app: App | None, max_attempts: int) -> str:
    what = f"the engine restarted while attempt {state.attempt} of the task ran"
    if app is None:
        return f"{what}, and its app is gone"
    if state.attempt >= max_attempts:
        return f"{what}; it is not tried more than {max_attempts} times"
    return f"{what}, and {app.ref} is not to run again (metadata.{RETRY_KEY} in its inf.yml)"
