"""Tools of type `app`: each call is a task of the engine."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from ...domain.idempotency import Idempotency
from ...domain.jobs import LoadFailure
from ...domain.problems import Problem
from ...domain.task import TaskStatus
from .runner import Offered, ToolError, ToolOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...catalog import App
    from ...domain.jobs import FunctionDescription
    from .runner import Invocation, Started, Tool, ToolServices

SESSION = "session"

_SESSION_PARAMETER = {
    "type": "string",
    "description": 'Calls with one session share a worker and what it remembers: "new" starts a session, '
    "its session_id, which the result shows, goes on with it.",
}


class AppRunner:
    """Runs an app as a task; the task's id is the execution id, and one invocation makes one task."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services

    async def offered(self, tool: Tool) -> Offered:
        """The input schema of the app's function, less what nobody needs to give."""
        app, function = self._resolved(tool)
        described = await self._services.pool.describe(app)
        if isinstance(described, LoadFailure):
            raise ToolError(f"app {app.ref} cannot be loaded: {described.error}")
        name = function or described.default_function
        if name not in described.functions:
            known = ", ".join(sorted(described.functions))
            raise ToolError(f"app {app.ref} has no function {name}; it has {known}")
        entry = described.functions[name]
        return Offered.of(tool, _parameters(entry, tool.spec), entry.description or app.manifest.description)

    async def run(self, invocation: Invocation, started: Started) -> ToolOutcome:
        """Run it, or wait for the task an earlier engine has started; the output is the result."""
        task_id = invocation.execution_id
        try:
            if task_id is None:
                task_id = await self._start(invocation)
                await started(task_id)
            return _outcome(await self._ended(task_id), invocation.tool)
        except Problem as problem:
            raise ToolError(problem.detail) from None

    async def close(self) -> None:
        """There is nothing to close: tasks are the engine's."""

    def _resolved(self, tool: Tool) -> tuple[App, str | None]:
        ref, app_id, version_id = (tool.spec.get(name) or None for name in ("ref", "id", "version_id"))
        try:
            found = self._services.catalog.find(ref, app_id=app_id, version_id=version_id)
        except Problem as problem:
            raise ToolError(problem.detail) from None
        return found.app, tool.spec.get("function") or found.function

    async def _start(self, invocation: Invocation) -> str:
        body = _body(invocation)
        # Should the engine die before the id is on disk, the next one gets the same task.
        fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        key = Idempotency(invocation.id, "tools", fingerprint)
        outcome = await self._services.tasks.run(body, idempotency=key)
        task_id: str = outcome.task["id"]
        return task_id

    async def _ended(self, task_id: str) -> dict[str, Any]:
        try:
            return await self._services.tasks.wait(task_id)
        except asyncio.CancelledError:
            if not self._services.stopping():
                await self._services.tasks.cancel(task_id)
            raise


def _parameters(entry: FunctionDescription, spec: Mapping[str, Any]) -> dict[str, Any]:
    schema = dict(entry.input_schema or {"type": "object", "properties": {}})
    defaults = spec.get("input") or {}
    schema["required"] = [name for name in schema.get("required", ()) if name not in defaults]
    if _with_sessions(spec) and SESSION not in schema.get("properties", {}):
        schema["properties"] = {**schema.get("properties", {}), SESSION: _SESSION_PARAMETER}
    return schema


def _with_sessions(spec: Mapping[str, Any]) -> bool:
    return spec.get("session_enabled") is True


def _body(invocation: Invocation) -> dict[str, Any]:
    spec, arguments = invocation.tool.spec, dict(invocation.arguments)
    session = arguments.pop(SESSION, None) if _with_sessions(spec) else None
    goes_on = session not in (None, "new")
    body = {
        "app": spec.get("ref"),
        "app_id": spec.get("id"),
        "version_id": spec.get("version_id"),
        "function": spec.get("function"),
        "setup": None if goes_on else spec.get("setup"),
        "input": {**(spec.get("input") or {}), **arguments},
        SESSION: session,
    }
    return {name: value for name, value in body.items() if value is not None}


def _outcome(task: Mapping[str, Any], tool: Tool) -> ToolOutcome:
    if task["status"] == TaskStatus.CANCELLED:
        raise ToolError(f"task {task['id']} was cancelled")
    if task["status"] != TaskStatus.COMPLETED:
        raise ToolError(f"task {task['id']} failed: {task.get('error') or 'it gave no reason'}")
    output, session = _without_empty_meta(task.get("output")), task.get("session_id")
    if _with_sessions(tool.spec) and session:
        shown = output if isinstance(output, dict) else {"output": output}
        output = {**shown, "session_id": session}
    return ToolOutcome(text=json.dumps(output, ensure_ascii=False))


def _without_empty_meta(output: Any) -> Any:
    """What every output has and most say nothing with would only cost the model tokens."""
    if isinstance(output, dict) and output.get("output_meta", output) is None:
        return {name: value for name, value in output.items() if name != "output_meta"}
    return output
