"""What people do with tool invocations: give results, approve, reject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..domain.chat import InvocationStatus
from ..domain.chat_views import invocation_dto
from ..domain.problems import Problem
from .requests import check_depth
from .tool_runs import change_invocation

if TYPE_CHECKING:
    from ..domain.chat import ToolInvocation
    from .ledger import LiveChat
    from .services import TurnServices

_MAX_REASON_CHARS = 10_000


class Decisions:
    """Results and approvals, for one engine."""

    def __init__(self, services: TurnServices) -> None:
        self._services = services
        self._ledger = services.ledger

    async def submit(self, invocation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give the result of a client tool, or the answer to a widget."""
        live, invocation = self._ledger.find_invocation(invocation_id)
        result = self._result(body)
        _expect(invocation, InvocationStatus.AWAITING_INPUT, "takes no result")
        return await self._move(live, invocation, InvocationStatus.COMPLETED, result=result)

    async def approve(self, invocation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Let it run; with `arguments` only if they are those it would run with."""
        live, invocation = self._ledger.find_invocation(invocation_id)
        _expect(invocation, InvocationStatus.AWAITING_APPROVAL, "needs no approval")
        _check_shown(invocation, body)
        return await self._move(live, invocation, InvocationStatus.IN_PROGRESS)

    async def reject(self, invocation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do not let it run; the model is told the reason."""
        live, invocation = self._ledger.find_invocation(invocation_id)
        _expect(invocation, InvocationStatus.AWAITING_APPROVAL, "needs no approval")
        reason = body.get("reason")
        if reason is not None and not (isinstance(reason, str) and len(reason) <= _MAX_REASON_CHARS):
            detail = f"reason must be a text of at most {_MAX_REASON_CHARS} characters"
            raise Problem(422, "invalid_request", detail, field="reason")
        result = f"rejected by the user: {reason}" if reason else "rejected by the user"
        return await self._move(live, invocation, InvocationStatus.FAILED, result=result)

    async def always_allow(self, chat_id: str, invocation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Let it run, and do not ask again for this tool in this chat."""
        live, invocation = self._ledger.find_invocation(invocation_id)
        if live.id != chat_id:
            raise Problem(404, "not_found", f"chat {chat_id} has no tool invocation {invocation_id}")
        _expect(invocation, InvocationStatus.AWAITING_APPROVAL, "needs no approval")
        _check_shown(invocation, body)
        if body.get("tool_name") not in (None, "", invocation.name):
            detail = (
                f"invocation {invocation_id} is of tool {invocation.name}, not {body['tool_name']!r:.100}"
            )
            raise Problem(409, "approval_mismatch", detail)
        allowed = list(dict.fromkeys([*live.chat.always_allowed, invocation.name]))
        chat_changes = {"data": {**live.chat.data, "always_allowed_tools": allowed}}
        return await self._move(live, invocation, InvocationStatus.IN_PROGRESS, chat_changes=chat_changes)

    async def resolve(self, invocation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Approve or reject, by the newer name of it."""
        decision = body.get("decision")
        if decision == "allow":
            return await self.approve(invocation_id, body)
        if decision == "deny":
            return await self.reject(invocation_id, body)
        raise Problem(422, "invalid_request", f"decision must be allow or deny, not {decision!r:.100}")

    async def _move(
        self, live: LiveChat, invocation: ToolInvocation, status: InvocationStatus, **changes: Any
    ) -> dict[str, Any]:
        await change_invocation(self._services, live, invocation.id, status, **changes)
        return invocation_dto(live.invocations[invocation.id])

    def _result(self, body: Mapping[str, Any]) -> str:
        """The result as text: other values, and the action of a widget, as JSON."""
        given = body["result"] if body.get("result") is not None else _action(body)
        check_depth(body)
        text = given if isinstance(given, str) else json.dumps(given)
        size, limit = len(text.encode("utf-8", "replace")), self._services.config.max_tool_result_bytes
        if size > limit:
            detail = f"the result has {size} bytes; {limit} are allowed (max_tool_result_bytes)"
            raise Problem(413, "result_too_large", detail)
        return text


def _action(body: Mapping[str, Any]) -> dict[str, Any]:
    if body.get("action") is None:
        detail = "result must be a text: what the tool gave"
        raise Problem(422, "invalid_request", detail, field="result")
    return {name: body[name] for name in ("action", "form_data") if body.get(name) is not None}


def _expect(invocation: ToolInvocation, status: InvocationStatus, otherwise: str) -> None:
    if invocation.status.terminal:
        detail = f"tool invocation {invocation.id} is already finished: {invocation.status.value}"
        raise Problem(409, "invocation_finished", detail)
    if invocation.status is not status:
        detail = f"tool invocation {invocation.id} is {invocation.status.value} and {otherwise}"
        raise Problem(409, "invocation_not_waiting", detail)


def _check_shown(invocation: ToolInvocation, body: Mapping[str, Any]) -> None:
    """An approval is for the arguments that were shown, where the caller says which."""
    if body.get("arguments") is not None and body["arguments"] != invocation.arguments:
        detail = f"tool invocation {invocation.id} has other arguments than those approved; look at it again"
        raise Problem(409, "approval_mismatch", detail)
