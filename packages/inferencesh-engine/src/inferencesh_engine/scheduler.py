"""Who works for whom: a pure state machine. Events go in, commands come out, the clock is an argument.

A *ticket* is something that needs a worker; a *worker* is a process that has loaded one version of an app
and, once it served a ticket with setup values, those values. The rules:

- Tickets of an app are served in order; apps take turns. A turn lasts `turn_seconds` where it would cost
  a worker that still has work: unloading one app to load another for every call would be fair, and slow.
- A warm worker comes first: one with the ticket's setup, else one that is loaded and not set up yet.
- An app's first worker starts at once, a further one when a ticket has waited `patience_seconds`: calls
  of a few milliseconds are served sooner by the worker there is than by a process yet to be started.
- When all places are taken, the worker that has been idle longest makes room.
- A probe only wants a loaded app. It may use one place over the limits, so that looking at an app never
  waits behind long calls; a place used that way is given back at the first idle moment.
- A session's worker is its own and takes no place: see `leases`. Its first ticket takes a worker that has
  loaded the app and done nothing yet, else a new one.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from .domain.placement import Dispatch, Start, Stop, Ticket
from .leases import Leases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .domain.placement import Command


@dataclass(frozen=True)
class Limits:
    """How many workers there may be, and how long they and their tickets wait.

    Attributes:
        workers: Workers in all, those of sessions aside.
        workers_per_app: Workers of one app, whatever their versions and setups.
        idle_seconds: An idle worker is stopped after this.
        patience_seconds: How long a ticket waits for a busy worker before another one is started.
        turn_seconds: How long a worker serves its own queue before it must make room for another app.
    """

    workers: int
    workers_per_app: int
    idle_seconds: float
    patience_seconds: float = 0.05
    turn_seconds: float = 2.0


class _State(Enum):
    BUSY = "busy"
    IDLE = "idle"
    STOPPING = "stopping"


@dataclass
class _Worker:
    id: str
    app: str
    version: str
    setup: str | None
    state: _State = _State.BUSY
    idle_since: float = 0.0
    settled_at: float | None = None

    def suits(self, ticket: Ticket) -> bool:
        return self.version == ticket.version and (ticket.setup is None or self.setup in (None, ticket.setup))


@dataclass(frozen=True)
class _Waiting:
    ticket: Ticket
    since: float


class Scheduler:
    """Matches tickets to workers.

    Every method takes the time in seconds of any clock that does not go back, and gives the commands to
    carry out, in order.
    """

    def __init__(self, limits: Limits, worker_ids: Iterable[str] | None = None) -> None:
        self._limits = limits
        self._ids: Iterator[str] = iter(worker_ids or (f"worker-{n}" for n in itertools.count(1)))
        self._workers: dict[str, _Worker] = {}
        # The first app is the next to be served; one that was served goes to the end.
        self._queues: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._leases = Leases()

    def submit(self, ticket: Ticket, now: float) -> list[Command]:
        """A ticket waits for a worker."""
        if ticket.session is not None:
            commands = self._leases.submit(ticket, ticket.session, lambda: self._hire(ticket))
            return commands + self._match(now)
        self._queues.setdefault(ticket.app, deque()).append(_Waiting(ticket, now))
        return self._match(now)

    def withdraw(self, ticket_id: str) -> bool:
        """Take a waiting ticket back; False when it is not waiting (any more)."""
        if self._leases.withdraw(ticket_id):
            return True
        for app, queue in self._queues.items():
            for waiting in queue:
                if waiting.ticket.id == ticket_id:
                    queue.remove(waiting)
                    self._forget_if_empty(app)
                    return True
        return False

    def finished(self, worker_id: str, now: float) -> list[Command]:
        """A worker is done with its ticket and can take another."""
        if worker_id in self._leases:
            return self._leases.finished(worker_id)
        worker = self._workers[worker_id]
        worker.state, worker.idle_since = _State.IDLE, now
        worker.settled_at = now if worker.settled_at is None else worker.settled_at
        return self._match(now)

    def gone(self, worker_id: str, now: float) -> list[Command]:
        """A worker's process has ended, for whatever reason; its ticket, if it had one, is over too."""
        if worker_id in self._leases:
            self._leases.gone(worker_id)
            return []
        del self._workers[worker_id]
        return self._match(now)

    def release(self, session: str) -> list[Command]:
        """A session is over: its worker stops as soon as it is idle."""
        return self._leases.release(session)

    def tick(self, now: float) -> list[Command]:
        """Time has passed; see `wakeup`."""
        expired = [w for w in self._idle() if now >= w.idle_since + self._limits.idle_seconds]
        return [self._stop(worker) for worker in expired] + self._match(now)

    def wakeup(self, now: float) -> float | None:
        """When `tick` has something to do, if nothing else happens before; None is never."""
        idle = (worker.idle_since + self._limits.idle_seconds for worker in self._idle())
        due = (queue[0].since + self._limits.patience_seconds for queue in self._queues.values())
        return min(itertools.chain(idle, (time for time in due if time > now)), default=None)

    def _match(self, now: float) -> list[Command]:
        commands = self._surplus()
        progress = True
        while progress:
            served = self._one_round(now)
            commands += served
            progress = any(not isinstance(command, Stop) for command in served)
        return commands + self._surplus()

    def _one_round(self, now: float) -> list[Command]:
        """Every app's first ticket gets its chance."""
        commands: list[Command] = []
        leaving = sum(worker.state is _State.STOPPING for worker in self._workers.values())
        for app, queue in list(self._queues.items()):
            command = self._serve(queue[0], now)
            if command is not None:
                commands.append(command)
                self._served(app)
            elif self._wants_room(queue[0], now):
                # A place that is being vacated is room for one of those who wait, not for all of them.
                leaving -= 1
                commands += self._make_room(queue[0].ticket, now) if leaving < 0 else []
        return commands

    def _serve(self, waiting: _Waiting, now: float) -> Command | None:
        ticket = waiting.ticket
        worker = self._warm(ticket)
        if worker is not None:
            worker.state = _State.BUSY
            worker.setup = worker.setup if ticket.setup is None else ticket.setup
            return Dispatch(worker.id, ticket.id)
        if self._is_due(waiting, now) and self._has_place(ticket):
            worker = _Worker(next(self._ids), ticket.app, ticket.version, ticket.setup)
            self._workers[worker.id] = worker
            return Start(worker.id, ticket.id)
        return None

    def _warm(self, ticket: Ticket) -> _Worker | None:
        """The suitable idle worker, one with the very setup first; the last used is the warmest."""
        suitable = [worker for worker in self._idle() if worker.suits(ticket)]
        return max(suitable, key=lambda w: (w.setup == ticket.setup, w.idle_since), default=None)

    def _hire(self, ticket: Ticket) -> Start | Dispatch:
        """A worker for a session: nobody's call or setup may have left anything in it."""
        unused = (w for w in self._idle() if w.version == ticket.version and w.setup is None)
        worker = next(unused, None)
        if worker is None:
            return Start(next(self._ids), ticket.id)
        del self._workers[worker.id]
        return Dispatch(worker.id, ticket.id)

    def _is_due(self, waiting: _Waiting, now: float) -> bool:
        return not self._could_grow(waiting.ticket) or now >= waiting.since + self._limits.patience_seconds

    def _could_grow(self, ticket: Ticket) -> bool:
        """Whether a worker that will suit is busy, so that waiting for it may be the better choice."""
        return any(w.state is _State.BUSY and w.suits(ticket) for w in self._workers.values())

    def _has_place(self, ticket: Ticket) -> bool:
        spare = 1 if ticket.setup is None else 0
        of_app = sum(worker.app == ticket.app for worker in self._workers.values())
        return (
            len(self._workers) < self._limits.workers + spare
            and of_app < self._limits.workers_per_app + spare
        )

    def _wants_room(self, waiting: _Waiting, now: float) -> bool:
        return self._is_due(waiting, now) and not self._has_place(waiting.ticket)

    def _make_room(self, ticket: Ticket, now: float) -> list[Command]:
        of_app = sum(worker.app == ticket.app for worker in self._workers.values())
        app_is_full = of_app >= self._limits.workers_per_app
        evictable = [
            worker
            for worker in self._idle()
            if (not app_is_full or worker.app == ticket.app) and not self._is_needed(worker, now)
        ]
        longest_idle = min(evictable, key=lambda worker: worker.idle_since, default=None)
        return [] if longest_idle is None else [self._stop(longest_idle)]

    def _is_needed(self, worker: _Worker, now: float) -> bool:
        """Whether the worker's turn lasts and its own queue has work for it."""
        queue = self._queues.get(worker.app)
        turn_lasts = worker.settled_at is not None and now < worker.settled_at + self._limits.turn_seconds
        return turn_lasts and queue is not None and worker.suits(queue[0].ticket)

    def _surplus(self) -> list[Command]:
        """Stop idle workers where a probe went over a limit."""
        staying = [worker for worker in self._workers.values() if worker.state is not _State.STOPPING]
        stops: list[Command] = []
        for worker in sorted(self._idle(), key=lambda worker: worker.idle_since):
            of_app = sum(other.app == worker.app for other in staying)
            if len(staying) > self._limits.workers or of_app > self._limits.workers_per_app:
                staying.remove(worker)
                stops.append(self._stop(worker))
        return stops

    def _idle(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.state is _State.IDLE]

    def _stop(self, worker: _Worker) -> Stop:
        worker.state = _State.STOPPING
        return Stop(worker.id)

    def _served(self, app: str) -> None:
        self._queues[app].popleft()
        self._queues.move_to_end(app)
        self._forget_if_empty(app)

    def _forget_if_empty(self, app: str) -> None:
        if not self._queues[app]:
            del self._queues[app]
