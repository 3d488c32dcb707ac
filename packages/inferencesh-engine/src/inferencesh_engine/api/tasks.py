"""Tasks: running apps, and what becomes of it (wire protocol 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..domain.listing import Filter
from ..domain.ownership import VISIBILITIES
from ..domain.problems import Problem
from ..domain.task import TaskStatus
from ..streams import frames, framing
from .idempotency import idempotency, mark_replayed
from .lists import list_query, parameter_query
from .routes import Route

if TYPE_CHECKING:
    from aiohttp.web_response import StreamResponse

    from ..domain.views import TaskEvent
    from .call import Call


async def run(call: Call) -> Any:
    """Accept a task: answer at once, when it has ended (`wait`), or as a stream (`stream`)."""
    body = await call.json_object()
    outcome = await call.engine.run(body, idempotency=idempotency(call, body, route="run"))
    if outcome.replayed:
        mark_replayed(call)
    if body.get("stream") is True:
        return await _followed(call, outcome.task_id, after=None)
    if body.get("wait") is True:
        return _ended_well(await call.engine.end_of(outcome))
    return outcome.accepted.json


async def get(call: Call) -> Any:
    """The task as it is now."""
    return await call.engine.task(call.parameters["id"])


async def status(call: Call) -> Any:
    """The little that pollers compare."""
    return await call.engine.task_status(call.parameters["id"])


async def stream(call: Call) -> StreamResponse:
    """Follow a task to its end. A task that is not there fails here, before the stream begins."""
    task_id = call.parameters["id"]
    await call.engine.task_status(task_id)
    return await _followed(call, task_id, after=_after(call))


async def cancel(call: Call) -> Any:
    """Cancel, and say truthfully what became of the task."""
    body = await call.json_object()
    milliseconds = body.get("timeout")
    if milliseconds is not None and not (_is_number(milliseconds) and milliseconds >= 0):
        raise Problem(400, "invalid_request", f"timeout must be milliseconds, not {milliseconds!r}")
    grace = None if milliseconds is None else milliseconds / 1000
    task = await call.engine.cancel(call.parameters["id"], grace=grace, force=body.get("force") is True)
    return {**task, "cancelled": task["status"] == TaskStatus.CANCELLED}


async def delete(call: Call) -> None:
    """Forget a task that has ended."""
    await call.engine.delete(call.parameters["id"])


async def search(call: Call) -> Any:
    """A page of tasks."""
    return (await call.engine.list_tasks(list_query(await call.json_object()))).to_dto()


async def featured(call: Call) -> Any:
    """A page of the tasks marked as featured; the query stands in the address."""
    asked = parameter_query(call.request.query)
    query = replace(asked, filters=[*asked.filters, Filter("is_featured", "eq", True)])
    return (await call.engine.list_tasks(query)).to_dto()


async def set_featured(call: Call) -> Any:
    """Mark the task as featured, or not."""
    is_featured = (await call.json_object()).get("is_featured")
    if not isinstance(is_featured, bool):
        raise Problem(422, "invalid_request", f"is_featured must be true or false, not {is_featured!r:.100}")
    return (await call.engine.marks.change(call.parameters["id"], is_featured=is_featured)).task


async def set_visibility(call: Call) -> Any:
    """Say who may see the task. An engine has one user, so it only keeps the word."""
    visibility = (await call.json_object()).get("visibility")
    if visibility not in VISIBILITIES:
        known = ", ".join(VISIBILITIES)
        raise Problem(422, "invalid_request", f"visibility must be one of {known}, not {visibility!r:.100}")
    return (await call.engine.marks.change(call.parameters["id"], visibility=visibility)).task


async def telemetry(call: Call) -> list[Any]:
    """What was measured while the task ran: nothing, here."""
    await call.engine.task_status(call.parameters["id"])
    return []


async def logs(call: Call) -> Any:
    """All the text a task left."""
    return await call.engine.logs(call.parameters["id"])


async def timings(call: Call) -> Any:
    """How long each step took."""
    return await call.engine.timings(call.parameters["id"])


async def _followed(call: Call, task_id: str, *, after: int | None) -> StreamResponse:
    form = framing(call.request.headers.get("Accept", ""))
    config = call.engine.config
    chunks = frames(
        call.engine.subscribe(task_id, after=after),
        form,
        heartbeat_seconds=config.heartbeat_seconds,
        repeat_seconds=config.repeat_seconds,
    )
    return await call.stream(form.content_type, chunks)


def _ended_well(event: TaskEvent) -> bytes:
    if event.state.status is TaskStatus.COMPLETED:
        return event.json
    name = event.state.status.name.lower()
    detail = event.state.error or f"task {event.view.spec.id} was {name}"
    raise Problem(422, f"task_{name}", detail, task=event.task)


def _after(call: Call) -> int | None:
    """The last event the caller has; browsers send it as `Last-Event-ID` when they reconnect."""
    text = call.request.query.get("after") or call.request.headers.get("Last-Event-ID")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(400, "invalid_request", f"after and Last-Event-ID are numbers of events, not {text!r}")
    return int(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


ROUTES = (
    Route("POST", "/apps/run", run, "Run an app as a task"),
    Route("POST", "/run", run, "Run an app as a task"),
    Route("POST", "/tasks/list", search, "List tasks"),
    Route("GET", "/tasks/featured", featured, "List featured tasks"),
    Route("GET", "/tasks/{id}", get, "Get a task"),
    Route("DELETE", "/tasks/{id}", delete, "Delete a task that has ended"),
    Route("GET", "/tasks/{id}/status", status, "Get the status of a task"),
    Route("GET", "/tasks/{id}/stream", stream, "Follow a task as NDJSON or server-sent events"),
    Route("POST", "/tasks/{id}/cancel", cancel, "Cancel a task"),
    Route("GET", "/tasks/{id}/logs", logs, "Get the logs of a task"),
    Route("GET", "/tasks/{id}/telemetry", telemetry, "Get what was measured while a task ran"),
    Route("POST", "/tasks/{id}/visibility", set_visibility, "Say who may see a task"),
    Route("POST", "/tasks/{id}/featured", set_featured, "Mark a task as featured, or not"),
    Route("GET", "/tasks/{id}/timings", timings, "Get how long the steps of a task took"),
)
