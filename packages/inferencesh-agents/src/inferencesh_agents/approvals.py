"""Asking whether a tool may run."""

from __future__ import annotations

from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .chat import arguments_of, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = getLogger("inferencesh")


@dataclass(frozen=True)
class ApprovalRequest:
    """A tool that waits for somebody's leave to run.

    Attributes:
        id: The invocation: what `approve_tool` and `reject_tool` take.
        name: The tool.
        args: What it would be called with; an approval is for these and no others.
        display_name: The tool's name for people.
        type: Its kind: ``client``, ``app``, ``http``, ….
        chat_id: The chat.
    """

    id: str
    name: str
    args: dict[str, Any]
    display_name: str
    type: str
    chat_id: str

    @classmethod
    def of(cls, invocation: Mapping[str, Any], chat_id: str) -> ApprovalRequest:
        """Read it from an invocation."""
        name = name_of(invocation)
        shown = invocation.get("display_name") or name
        kind = str(invocation.get("type") or "")
        return cls(str(invocation.get("id")), name, arguments_of(invocation) or {}, shown, kind, chat_id)


@dataclass(frozen=True)
class Rejection:
    """No, and why; the model is told the reason."""

    reason: str


Decision: TypeAlias = bool | Literal["always"] | Rejection | None
"""``True`` runs the tool, ``"always"`` also the next times in this chat, ``False`` and `Rejection` refuse it;
``None`` leaves it waiting, to be decided elsewhere."""

if TYPE_CHECKING:
    OnApproval: TypeAlias = Callable[[ApprovalRequest], Decision | Awaitable[Decision]]


def checked(decision: Any) -> Decision:
    """Give a decision back.

    Raises:
        TypeError: it is none.
    """
    if decision is None or isinstance(decision, (bool, Rejection)) or decision == "always":
        return decision  # type: ignore[no-any-return]
    raise TypeError(
        f'on_approval gives True, False, "always", Rejection(reason) or None, not {decision!r:.80}'
    )


def warn_undecided(request: ApprovalRequest) -> None:
    """Tell in the log that a chat stands still, and how it goes on."""
    _log.warning(
        "chat %s waits: the tool %s (%s) asks for approval. Give on_approval, or call approve_tool(%r), "
        "always_allow_tool(%r) or reject_tool(%r, reason)",
        *(request.chat_id, request.name, request.id, request.id, request.id, request.id),
    )
