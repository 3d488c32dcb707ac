"""Workers held by sessions: a pure state machine beside the scheduler, which shares out all the others.

A leased worker serves the tickets of its session only, in order, until the session releases it or it dies.
How many sessions there may be is decided where they are made, so a lease waits for nobody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .domain.placement import Dispatch, Start, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from .domain.placement import Command, Ticket


@dataclass
class _Lease:
    session: str
    worker_id: str
    busy: bool = True
    released: bool = False
    waiting: deque[Ticket] = field(default_factory=deque)


class Leases:
    """Which session holds which worker."""

    def __init__(self) -> None:
        self._by_session: dict[str, _Lease] = {}
        self._by_worker: dict[str, _Lease] = {}

    def __contains__(self, worker_id: str) -> bool:
        return worker_id in self._by_worker

    def submit(self, ticket: Ticket, session: str, hire: Callable[[], Start | Dispatch]) -> list[Command]:
        """A session's ticket wants its worker; `hire` finds one for a session without."""
        lease = self._by_session.get(session)
        if lease is None:
            command = hire()
            lease = _Lease(session, command.worker_id)
            self._by_session[session] = self._by_worker[command.worker_id] = lease
            return [command]
        lease.waiting.append(ticket)
        return [] if lease.busy else self._next(lease)

    def withdraw(self, ticket_id: str) -> bool:
        """Take a waiting ticket back; False when it is not waiting here."""
        for lease in self._by_session.values():
            for ticket in lease.waiting:
                if ticket.id == ticket_id:
                    lease.waiting.remove(ticket)
                    return True
        return False

    def finished(self, worker_id: str) -> list[Command]:
        """The worker is done with its ticket."""
        lease = self._by_worker[worker_id]
        lease.busy = False
        return self._next(lease)

    def gone(self, worker_id: str) -> None:
        """The worker's process has ended; the tickets that waited for it are over too."""
        lease = self._by_worker.pop(worker_id)
        del self._by_session[lease.session]

    def release(self, session: str) -> list[Command]:
        """The session is over: its worker stops when it is idle. What still waits is dropped."""
        lease = self._by_session.get(session)
        if lease is None or lease.released:
            return []
        lease.released = True
        lease.waiting.clear()
        return [] if lease.busy else self._next(lease)

    def _next(self, lease: _Lease) -> list[Command]:
        if lease.released:
            lease.busy = True
            return [Stop(lease.worker_id)]
        if not lease.waiting:
            return []
        lease.busy = True
        return [Dispatch(lease.worker_id, lease.waiting.popleft().id)]
