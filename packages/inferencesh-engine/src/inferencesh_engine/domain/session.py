"""A session's life, pure: a worker held for one caller, until it is ended, idle for too long, or lost.

A session is a frozen record; each event gives the next one, and the time is an argument. Its *calls* are the
tasks accepted for it that have not ended. While there are any the idle clock stands still: what runs does not
expire under its caller. A call that completes and a keepalive set the clock back to the whole time-out; after
any other end it goes on where it stood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from .ownership import owned
from .problems import Problem
from .views import rfc3339, short_id

NEW = "new"
"""What a caller writes in place of an id to have a session made."""

DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 3600


class SessionStatus(str, Enum):
    """Where a session stands; `LOST` is shown as ended, for that is all the wire protocol can say."""

    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the engine knows of a session; times are Unix seconds.

    Attributes:
        app_version_id: The version whose code its worker has loaded; edits of the app do not reach it.
        task_id: The task that made it.
        idle_timeout: Seconds without a call until it expires.
        expires_at: When it expires, if nothing happens before; not looked at while there are calls.
        idle_left: Seconds that are left on the idle clock while it stands still; None while it runs.
        call_count: Calls accepted so far, that of the making task included.
        calls: Those of them that have not ended, in order.
    """

    id: str
    created_at: float
    updated_at: float
    app_id: str
    app_version_id: str
    task_id: str
    idle_timeout: int
    expires_at: float
    worker_id: str = ""
    status: SessionStatus = SessionStatus.ACTIVE
    ended_at: float | None = None
    call_count: int = 0
    last_call_at: float | None = None
    idle_left: float | None = None
    calls: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return self.status is SessionStatus.ACTIVE

    def called(self, task_id: str, now: float) -> Session:
        """A call was accepted; raises the Problem of a session that is over."""
        self.check()
        left = self.idle_left if self.idle_left is not None else max(0.0, self.expires_at - now)
        return replace(
            self,
            updated_at=now,
            calls=(*self.calls, task_id),
            call_count=self.call_count + 1,
            last_call_at=now,
            idle_left=left,
        )

    def withdrawn(self, task_id: str, now: float) -> Session:
        """A call that could not be stored after all: it never was one."""
        return replace(self.answered(task_id, False, now), call_count=self.call_count - 1)

    def answered(self, task_id: str, completed: bool, now: float) -> Session:
        """A call has ended."""
        calls = tuple(call for call in self.calls if call != task_id)
        if not self.active:
            return replace(self, calls=calls)
        left = float(self.idle_timeout) if completed or self.idle_left is None else self.idle_left
        rest = {"idle_left": left} if calls else {"idle_left": None, "expires_at": now + left}
        return replace(self, updated_at=now, calls=calls, **rest)

    def kept_alive(self, now: float) -> Session:
        """The caller wants it kept; raises the Problem of a session that is over."""
        self.check()
        left = float(self.idle_timeout) if self.calls else None
        return replace(self, updated_at=now, idle_left=left, expires_at=now + self.idle_timeout)

    def held_by(self, worker_id: str, now: float) -> Session:
        """It has this worker now."""
        return replace(self, worker_id=worker_id, updated_at=now) if self.active else self

    def is_due(self, now: float) -> bool:
        """Whether it is to expire: it is active, has no calls, and its time is up."""
        return self.active and not self.calls and now >= self.expires_at

    def over(self, how: SessionStatus, now: float) -> Session:
        """It is over, this way; what is over already stays as it is. Its calls are still to be ended."""
        if not self.active:
            return self
        return replace(
            self, status=how, ended_at=now, updated_at=now, expires_at=self.expiry(now), idle_left=None
        )

    def expiry(self, now: float) -> float:
        """When it expires at the earliest."""
        return self.expires_at if self.idle_left is None else now + self.idle_left

    def check(self) -> None:
        """Raise the Problem a caller of a session that is over gets."""
        if not self.active:
            raise _PROBLEMS[self.status](self)

    def dto(self, now: float) -> dict[str, Any]:
        """The `AppSessionDTO` (wire protocol 4.3)."""
        status = SessionStatus.ENDED if self.status is SessionStatus.LOST else self.status
        return {
            "id": self.id,
            "short_id": short_id(self.id),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "deleted_at": None,
            **owned(),
            "worker_id": self.worker_id,
            "app_id": self.app_id,
            "app_version_id": self.app_version_id,
            "status": status.value,
            "expires_at": rfc3339(round(self.expiry(now), 6)),
            "ended_at": rfc3339(self.ended_at),
            "task_id": self.task_id,
            "call_count": self.call_count,
            "last_call_at": rfc3339(self.last_call_at),
            "idle_timeout": self.idle_timeout,
        }


def opened(
    session_id: str, *, app_id: str, app_version_id: str, task_id: str, timeout: int | None, now: float
) -> Session:
    """A new session with the call that makes it; `timeout` None means the default."""
    seconds = DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout
    return Session(
        id=session_id,
        created_at=now,
        updated_at=now,
        app_id=app_id,
        app_version_id=app_version_id,
        task_id=task_id,
        idle_timeout=seconds,
        expires_at=now + seconds,
    ).called(task_id, now)


def why_over(session: Session) -> str:
    """What became of a session, for the tasks it takes with it."""
    return _WHY[session.status].format(session)


_WHY = {
    SessionStatus.ENDED: "session {0.id} was ended",
    SessionStatus.EXPIRED: "session {0.id} expired after {0.idle_timeout} s without a call",
    SessionStatus.LOST: "session {0.id} has lost its worker, and its memory with it",
}


def _problem(status: int, code: str, detail: str, session_id: str) -> Problem:
    problem = Problem(status, code.lower(), detail, session_id=session_id)
    # Clients look for it in the type and in a member of its own (wire protocol 4.4).
    problem.extra["code"] = code
    return problem


def not_found(session_id: str) -> Problem:
    """404: there is no such session."""
    return _problem(404, "SESSION_NOT_FOUND", f"no session with id {session_id}", session_id)


def app_mismatch(session: Session, asked: str) -> Problem:
    """400: the call names another app."""
    detail = f"session {session.id} belongs to another app than {asked}; start a new one for that"
    return _problem(400, "APP_MISMATCH", detail, session.id)


def version_mismatch(session: Session, asked: str) -> Problem:
    """400: the call names another version."""
    detail = f"session {session.id} runs version {short_id(session.app_version_id)} of its app, not {asked}"
    return _problem(400, "VERSION_MISMATCH", detail, session.id)


def _over_problem(status: int, code: str) -> Any:
    return lambda session: _problem(status, code, f"{why_over(session)}; start a new one", session.id)


_PROBLEMS = {
    SessionStatus.ENDED: _over_problem(410, "SESSION_ENDED"),
    SessionStatus.EXPIRED: _over_problem(410, "SESSION_EXPIRED"),
    SessionStatus.LOST: _over_problem(500, "WORKER_LOST"),
}
