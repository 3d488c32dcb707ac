"""How tasks look on the wire: `TaskDTO`, stream events, logs and timings (wire protocol 2.3, 2.1, 2.5)."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import cached_property, lru_cache
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

from inferencesh_core.json_encoder import encoder

from .values import value

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable

    from .encoded import Encoded
    from .task import LogText, Step, TaskSpec, TaskState

_encode = encoder()


def rfc3339(at: float | None) -> str | None:
    """Unix seconds as UTC text with microseconds; None stays None."""
    if at is None:
        return None
    seconds, microseconds = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_to_the_second(seconds)}.{microseconds:06d}Z"


@lru_cache(maxsize=64)  # most times that are shown lie within the last few seconds
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()[:-6]


def short_id(identifier: str) -> str:
    """The first eight characters, as the service shortens ids."""
    return identifier[:8]


# Members that the service fills and an engine does not.
_UNUSED: dict[str, Any] = {
    "deleted_at": None,
    "user_id": "",
    "user": None,
    "team_id": "",
    "team": None,
    "graph_id": None,
    "user_public_key": "",
    "engine_public_key": "",
    "app": None,
    "app_version": None,
    "flow_run_id": None,
    "sub_flow_run_id": None,
    "chat_id": None,
    "agent_id": None,
    "agent_version_id": None,
    "agent": None,
    "engine_id": None,
    "engine": None,
    "worker": None,
    "rating": "unrated",
    "usage_events": [],
}
_UNUSED_TEXT = _encode(_UNUSED)[1:-1]


def spec_dto(spec: TaskSpec) -> dict[str, Any]:
    """The part of a `TaskDTO` that never changes; shared in parts, so never to be changed."""
    given = {name: encoded.value for name, encoded in _given(spec).items()}
    return {**_plain_members(spec), **_UNUSED, **given}


def _spec_text(spec: TaskSpec) -> str:
    """The same as JSON, without the closing brace: what is known as text already is not encoded again."""
    given = ", ".join(f'"{name}": {encoded.text}' for name, encoded in _given(spec).items())
    return f"{_encode(_plain_members(spec))[:-1]}, {_UNUSED_TEXT}, {given}"


def _given(spec: TaskSpec) -> dict[str, Encoded]:
    return {"setup": spec.setup, "input": spec.input, "metadata": spec.metadata}


def _plain_members(spec: TaskSpec) -> dict[str, Any]:
    return {
        "id": spec.id,
        "short_id": short_id(spec.id),
        "created_at": rfc3339(spec.created_at),
        "visibility": spec.marks.visibility,
        "is_featured": spec.marks.is_featured,
        "app_id": spec.app_id,
        "app_version_id": spec.app_version_id,
        "app_variant": spec.app_variant,
        "function": spec.function or "",
        "infra": spec.infra,
        "workers": list(spec.workers) if spec.workers is not None else None,
        "run_at": rfc3339(spec.run_at),
        "webhook": spec.webhook,
        **_session_members(spec),
    }


def _session_members(spec: TaskSpec) -> dict[str, Any]:
    """Left out where there is nothing to say."""
    members = {"session_id": spec.session_id, "session_timeout": spec.session_timeout}
    return {name: value for name, value in members.items() if value is not None}


def state_dto(task_id: str, state: TaskState) -> dict[str, Any]:
    """The part of a `TaskDTO` that changes, except its output."""
    dto: dict[str, Any] = json.loads(f"{{{_state_text(task_id, state)}}}")
    return dto


def _state_text(task_id: str, state: TaskState) -> str:
    """The same as JSON, without braces. Written out: an encoder takes three times as long for it."""
    worker = "null" if state.worker_id is None else _encode(state.worker_id)
    error = "" if state.error is None else f'"error": {_encode(state.error)}, '
    events = ", ".join([_step_text(task_id, step) for step in state.steps])
    logs = _encode(logs_dto(task_id, state.logs)) if state.logs else "[]"
    return (
        f'"status": {state.status:d}, "status_text": "{state.status.name.lower()}", '
        f'"updated_at": "{rfc3339(state.updated_at)}", "attempt": {state.attempt}, "worker_id": {worker}, '
        f'{error}"events": [{events}], "logs": {logs}'
    )


def _step_text(task_id: str, step: Step) -> str:
    at = rfc3339(step.at)
    return (
        f'{{"id": "{task_id}.{step.seq}", "created_at": "{at}", "event_time": "{at}", '
        f'"task_id": "{task_id}", "status": {step.status:d}}}'
    )


def logs_dto(task_id: str, logs: Iterable[LogText]) -> list[dict[str, Any]]:
    """One entry per log type, its text plain."""
    return [
        {
            "id": f"{task_id}.log{log.log_type}",
            "created_at": rfc3339(log.created_at),
            "updated_at": rfc3339(log.updated_at),
            "task_id": task_id,
            "log_type": log.log_type,
            "content": log.content,
        }
        for log in logs
    ]


class SpecView:
    """The unchanging part of a task, rendered once for all its events."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec

    @cached_property
    def dto(self) -> dict[str, Any]:
        """The unchanging members of the `TaskDTO`; shared, so never to be changed."""
        return spec_dto(self.spec)

    @cached_property
    def json(self) -> str:
        """The same as JSON, without the closing brace."""
        return _spec_text(self.spec)


@value(frozen=True)
class TaskEvent:
    """A task's complete state after the event numbered `seq`; shared by everybody who follows the task."""

    view: SpecView
    state: TaskState

    @property
    def seq(self) -> int:
        """The event's number, from 1."""
        return self.state.seq

    @property
    def subject(self) -> str:
        """The task's id."""
        return self.view.spec.id

    @property
    def size(self) -> int:
        """About how many characters the event is."""
        return len(self.state.output.text) + len(self.view.spec.input.text)

    @property
    def terminal(self) -> bool:
        """Whether this is the last event."""
        return self.state.terminal

    @cached_property
    def task(self) -> dict[str, Any]:
        """The `TaskDTO`; shared, so never to be changed."""
        changing = state_dto(self.view.spec.id, self.state)
        return {**self.view.dto, **changing, "output": self.state.output.value}

    @cached_property
    def json(self) -> bytes:
        """The `TaskDTO` with its `seq` as one line of JSON, without the newline."""
        state, changing = self.state, _state_text(self.view.spec.id, self.state)
        return f'{self.view.json}, {changing}, "seq": {state.seq}, "output": {state.output.text}}}'.encode()


@value(frozen=True)
class RunOutcome:
    """The answer to a run request.

    Attributes:
        accepted: The task as it was when it was accepted.
        replayed: Whether this is the answer to an earlier request with the same idempotency key.
        ended: Done with the last event of a task that was begun for a caller who waits; else None.
    """

    accepted: TaskEvent
    replayed: bool = False
    ended: Future[TaskEvent] | None = None

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.accepted.view.spec.id

    @property
    def task(self) -> dict[str, Any]:
        """The `TaskDTO` as it was when the task was accepted."""
        return self.accepted.task


def timings_dto(task_id: str, state: TaskState) -> dict[str, Any]:
    """Durations of a task: per status, and grouped as waiting, preparing and running."""
    steps = state.steps
    events = [_timed_step(step, following) for step, following in zip_longest(steps, steps[1:])]
    total = (state.updated_at if state.terminal else steps[-1].at) - steps[0].at
    return {
        "task_id": task_id,
        "status": state.status.name.lower(),
        **_duration("total_duration", total),
        "groups": _groups(steps),
        "events": events,
    }


def _timed_step(step: Step, following: Step | None) -> dict[str, Any]:
    event: dict[str, Any] = {"status": step.status.name.lower(), "timestamp": rfc3339(step.at)}
    if following is not None:
        event |= _duration("duration", following.at - step.at)
        event["next_status"] = following.status.name.lower()
    return event


_GROUP_OF = {1: "queue", 2: "queue", 3: "setup", 4: "setup", 5: "setup", 6: "setup", 9: "upload"}


def _groups(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    for step, following in pairwise(steps):
        label = _GROUP_OF.get(step.status, "run")
        if not groups or groups[-1]["label"] != label:
            groups.append({"label": label, "start_at": rfc3339(step.at), "_from": step.at})
        groups[-1] |= {
            "end_at": rfc3339(following.at),
            **_duration("duration", following.at - groups[-1]["_from"]),
        }
    return [{key: value for key, value in group.items() if key != "_from"} for group in groups]


def _duration(name: str, seconds: float) -> dict[str, Any]:
    return {name: f"{seconds:.3f}s", f"{name}_ms": round(seconds * 1000)}
