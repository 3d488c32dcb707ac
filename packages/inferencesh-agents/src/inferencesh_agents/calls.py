"""Acting on what a chat waits for: running client tools, asking for approval, and delivering what came of it.

The stream may tell of an invocation many times: again with each change of its message, and all over after a
cut. So each has one claim, kept as long as an agent of the client that saw it: its handler runs once,
whichever agents follow the chat, and its answer is kept until the server has it. A handler that was
interrupted is not run again either; the model is told instead.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from logging import getLogger
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from inferencesh_core.errors import APIError, TransportError
from inferencesh_core.flow.effects import call, gather
from inferencesh_core.http.retry import RETRIED_STATUSES
from inferencesh_core.json_codec import dumps

from .approvals import ApprovalRequest, Rejection, checked, warn_undecided
from .chat import arguments_of, kind_of, name_of
from .deltas import told
from .tools.call import ToolCallInfo
from .tools.failures import exc_info_of
from .tools.results import error_text, result_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inferencesh_core.flow.effects import Feed, Flow
    from inferencesh_core.http.api import Api

    from .approvals import Decision, OnApproval
    from .chats import Chats
    from .deltas import Delta
    from .tools.toolbox import Toolbox

_AT_ONCE = 16
"""Client tools of one message that run side by side."""

_DELIVERIES = 5
"""How often a result is sent that the server cannot be given, each with all its tries."""

_log = getLogger("inferencesh")


@dataclass
class Shift:
    """One stretch of following a chat, and whom it tells.

    Attributes:
        on_tool_call: Told of each call of a client tool; for one without a handler it gives the result.
        on_approval: Decides on approvals; ``None`` leaves them.
        answers_all: Tell the model when nobody here can run a tool, instead of leaving it to others.
        hands_back: Follow no further once all the chat waits for are results nobody here can give.
        is_over: Nobody works in it any more.
    """

    on_tool_call: Callable[[ToolCallInfo], Any] | None = None
    on_approval: OnApproval | None = None
    answers_all: bool = True
    hands_back: bool = False
    is_over: bool = False


@dataclass
class _Claim:
    """What is done about one invocation: worked on in a shift, then to be delivered, then settled."""

    shift: Shift
    deliver: Callable[[], Flow[None]] | None = None
    is_settled: bool = False
    is_left: bool = False
    failures: list[Exception] = field(default_factory=list)


_claims_of: WeakKeyDictionary[Api, WeakValueDictionary[str, _Claim]] = WeakKeyDictionary()
"""All claims, by client."""

_one_at_a_time = Lock()


class Calls:
    """The claims of one agent, among those of its client.

    Args:
        api: The client's.
        chats: Where results go.
        toolbox: The handlers.
    """

    def __init__(self, api: Api, chats: Chats, toolbox: Toolbox) -> None:
        self._chats = chats
        self._toolbox = toolbox
        self._shared = _claims_of.setdefault(api, WeakValueDictionary())
        self._claims: dict[str, _Claim] = {}

    def serve(self, chat_id: str, due: Iterable[Mapping[str, Any]], shift: Shift) -> Feed[Delta, None]:
        """Do what is to be done about open invocations, side by side; emit what asks for approval.

        Raises:
            APIError: the server refused a result, or could not be given one.
            TypeError: ``on_approval`` gave no decision.
        """
        work: list[Flow[None]] = []
        asked: list[tuple[_Claim, ApprovalRequest]] = []
        for invocation in due:
            if invocation.get("status") == "awaiting_approval":
                asked += self._to_ask(invocation, chat_id, shift, work)
            else:
                work += yield from self._to_answer(invocation, shift)
        for _, request in asked:
            yield from told(deepcopy(request))  # what is decided on stays what was asked
        if asked:
            work.append(self._ask_all(asked, shift))
        yield from _side_by_side(work)

    def are_left(self, due: Iterable[Mapping[str, Any]]) -> bool:
        """Tell whether these are all invocations that are left to others."""
        claims = [self._claims.get(str(invocation.get("id"))) for invocation in due]
        return bool(claims) and all(claim is not None and claim.is_left for claim in claims)

    def _to_answer(self, invocation: Mapping[str, Any], shift: Shift) -> Flow[list[Flow[None]]]:
        """Give what is left to do about a tool's call, after telling of it."""
        own = str(invocation.get("id"))
        claim, is_new = self._claim(own, shift, lambda old: old.is_left)
        if is_new:
            return (yield from self._begun(claim, invocation, shift))
        if claim.is_settled or claim.is_left:
            return []
        if claim.deliver is None and claim.shift.is_over:
            claim.deliver = self._delivery(own, _INTERRUPTED)
        return [self._deliver(claim)] if claim.deliver is not None else []

    def _claim(self, key: str, shift: Shift, is_free: Callable[[_Claim], bool]) -> tuple[_Claim, bool]:
        """Give the claim, and whether it is made now: for the first time, or after a shift that left it."""
        new = _Claim(shift)
        with _one_at_a_time:  # another thread may follow the same chat
            claim = self._shared.setdefault(key, new)
            if claim.shift.is_over and is_free(claim):
                claim = self._shared[key] = new
        self._claims[key] = claim
        return claim, claim is new

    def _begun(self, claim: _Claim, invocation: Mapping[str, Any], shift: Shift) -> Flow[list[Flow[None]]]:
        own, args = str(invocation.get("id")), arguments_of(invocation)
        if args is None:
            return [self._answered(claim, own, _NO_OBJECT)]
        info = ToolCallInfo(own, name_of(invocation), args)
        is_client = kind_of(invocation) == "client"
        if is_client and self._toolbox.handles(info.name):
            if shift.on_tool_call is not None:
                yield from call(shift.on_tool_call, info)
            return [self._run(claim, info)]
        text = yield from self._given(info, shift)
        if text is None and is_client and shift.on_tool_call is None and shift.answers_all:
            text = _not_available(info.name)
        if text is None:
            claim.is_left = True
            _tell_who_waits(info, shift)
            return []
        return [self._answered(claim, own, text)]

    def _given(self, info: ToolCallInfo, shift: Shift) -> Flow[str | None]:
        """Give the result ``on_tool_call`` has for a tool without a handler, ``None`` when it has none."""
        if shift.on_tool_call is None:
            return None
        try:
            result = yield from call(shift.on_tool_call, info)
            return None if result is None else result_text(result)
        except Exception as error:  # noqa: BLE001 - it stands for the handler, whose errors the model is told
            told = "on_tool_call for tool %s, call %s: %s"
            _log.warning(told, info.name, info.id, error, exc_info=exc_info_of(error))
            return error_text(error)

    def _run(self, claim: _Claim, info: ToolCallInfo) -> Flow[None]:
        answer = yield from self._toolbox.run(info)
        yield from self._answered(claim, info.id, answer.text)

    def _answered(self, claim: _Claim, invocation_id: str, text: str) -> Flow[None]:
        claim.deliver = self._delivery(invocation_id, text)
        yield from self._deliver(claim)

    def _delivery(self, invocation_id: str, text: str) -> Callable[[], Flow[None]]:
        return partial(self._submit, invocation_id, text)

    def _submit(self, invocation_id: str, text: str) -> Flow[None]:
        try:
            yield from self._chats.submit(invocation_id, text)
        except APIError as error:
            if error.status_code != 413:
                raise
            yield from self._chats.submit(invocation_id, error_text(error))

    def _deliver(self, claim: _Claim) -> Flow[None]:
        """Hand the server what it waits for; what fails for the time being is left for the next line."""
        if claim.deliver is None:
            return
        try:
            yield from claim.deliver()
        except (APIError, TransportError) as error:
            if isinstance(error, APIError) and error.status_code == 409:
                _log.debug("a tool call was settled already: %s", error)
            else:
                _count(claim, error)
                return
        claim.is_settled = True

    def _to_ask(
        self, invocation: Mapping[str, Any], chat_id: str, shift: Shift, work: list[Flow[None]]
    ) -> list[tuple[_Claim, ApprovalRequest]]:
        """Give the request to decide on, unless that was done; what is decided but not delivered is work."""
        request = ApprovalRequest.of(invocation, chat_id)
        # Other arguments are another question: a decision is about what was shown.
        key = f"{request.id} {dumps(request.args).decode()}"
        claim, is_new = self._claim(key, shift, lambda old: old.deliver is None)
        if is_new:
            return [(claim, request)]
        if claim.deliver is not None and not claim.is_settled:
            work.append(self._deliver(claim))
        return []

    def _ask_all(self, asked: Sequence[tuple[_Claim, ApprovalRequest]], shift: Shift) -> Flow[None]:
        """Ask one by one: people answer one question at a time."""
        for claim, request in asked:
            decision: Decision = None
            if shift.on_approval is not None:
                decision = checked((yield from call(shift.on_approval, deepcopy(request))))
            if decision is None:
                warn_undecided(request)
            else:
                claim.deliver = partial(self._decide, request, decision)
                yield from self._deliver(claim)

    def _decide(self, request: ApprovalRequest, decision: Decision) -> Flow[None]:
        if decision is True:
            return self._chats.approve(request.id, request.args)
        if decision == "always":
            return self._chats.always_allow(request.chat_id, request.id, request.name, request.args)
        reason = decision.reason if isinstance(decision, Rejection) else None
        return self._chats.reject(request.id, reason)


_INTERRUPTED = '{"error": "the tool was interrupted while it ran, and is not run a second time"}'
_NO_OBJECT = '{"error": "the arguments are not a JSON object"}'


def _not_available(name: str) -> str:
    return dumps({"status": "not_available", "message": f"the tool {name} is not available here"}).decode()


def _tell_who_waits(info: ToolCallInfo, shift: Shift) -> None:
    if shift.on_tool_call is None and (shift.answers_all or shift.hands_back):
        _log.warning(
            "the tool %s (%s) waits for an answer: give on_tool_call, or call submit_tool_result(%r, ...)",
            *(info.name, info.id, info.id),
        )


def _count(claim: _Claim, error: APIError | TransportError) -> None:
    if isinstance(error, APIError) and error.status_code not in RETRIED_STATUSES:
        raise error
    claim.failures.append(error)
    if len(claim.failures) >= _DELIVERIES:
        raise error


def _side_by_side(flows: Sequence[Flow[None]]) -> Flow[None]:
    # One alone stays on the caller's thread, where its handler may rely on being.
    if len(flows) == 1:
        yield from flows[0]
    elif flows:
        yield from gather(flows, _AT_ONCE)
