"""Who works for whom: a pure state machine. Events go in, commands come out, the clock is an argument.

A *ticket* is something that needs a worker; a *worker* is a process that has loaded one version of an app
and, once it served a ticket with setup values, those values. The rules:

- Tickets of an app are served in order; apps take turns. A turn lasts `turn_seconds` where it would cost
  a worker that still has work: unloading one app to load another for every call would be fair, and slow.
- A warm worker comes first: one with the ticket's setup, else one that is loaded and not set up yet.
- An app's first worker starts at once, a further one when that saves time: when what waits will keep the
  present workers busy for longer than a start takes, or their calls have lasted as long already. Calls of
  a few milliseconds are served sooner by the worker there is than by a process yet to be started.
- When all places are taken, the worker that has been idle longest makes room.
- A probe only wants a loaded app. It may use one place over the limits, so that looking at an app never
  waits behind long calls; a place used that way is given back at the first idle moment.
- A session's worker is its own and takes no place: see `leases`. Its first ticket takes a worker that has
  loaded the app and done nothing yet, else a new one.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from .domain.placement import Dispatch, Start, Stop, Ticket
from .leases import Leases
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .domain.placement import Command


@dataclass(frozen=True)
class Limits:
    """How many workers there may be, and how long they stay.

    Attributes:
        workers: Workers in all, those of sessions aside.
        workers_per_app: Workers of one app, whatever their versions and setups.
        idle_seconds: An idle worker is stopped after this.
        turn_seconds: How long a worker serves its own queue before it must make room for another app.
    """

    workers: int
    workers_per_app: int
    idle_seconds: float
    turn_seconds: float = 2.0


class _State(Enum):
    BUSY = "busy"
    IDLE = "idle"
    STOPPING = "stopping"


@dataclass
class _Worker:
    """`since` is when it was given its ticket, set up, entered, or became idle, whichever came last."""

    id: str
    app: str
    version: str
    setup: str | None
    since: float
    state: _State = _State.BUSY
    is_set_up: bool = False
    load_seconds: float = 0.0
    settled_at: float | None = None

    def suits(self, ticket: Ticket) -> bool:
        return self.version == ticket.version and (ticket.setup is None or self.setup in (None, ticket.setup))


class Scheduler:
    """Matches tickets to workers.

    Every method takes the time in seconds of any clock that does not go back, and gives the commands to
    carry out, in order.
    """

    def __init__(self, limits: Limits, worker_ids: Iterable[str] | None = None) -> None:
        self._limits = limits
        self._few = min(limits.workers, limits.workers_per_app)  # with no more no limit is passed
        self._ids: Iterator[str] = iter(worker_ids or (f"worker-{n}" for n in itertools.count(1)))
        self._workers: dict[str, _Worker] = {}
        # The first app is the next to be served; one that was served goes to the end.
        self._queues: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)  # by app
        self._leases = Leases()

    def submit(self, ticket: Ticket, now: float) -> list[Command]:
        """A ticket waits for a worker."""
        if ticket.session is not None:
            commands = self._leases.submit(ticket, ticket.session, lambda: self._hire(ticket))
            return commands + self._match(now)
        self._queues.setdefault(ticket.app, deque()).append(ticket)
        return self._match(now)

    def withdraw(self, ticket_id: str) -> bool:
        """Take a waiting ticket back; False when it is not waiting (any more)."""
        if self._leases.withdraw(ticket_id):
            return True
        for app, queue in self._queues.items():
            for ticket in queue:
                if ticket.id == ticket_id:
                    queue.remove(ticket)
                    self._forget_if_empty(app)
                    return True
        return False

    def set_up(self, worker_id: str, now: float) -> list[Command]:
        """A worker has set the app up for its ticket, which it serves now."""
        if worker_id in self._leases:
            return []
        worker = self._workers[worker_id]
        self._paces[worker.app].started(worker.load_seconds + now - worker.since)
        worker.is_set_up, worker.since = True, now
        return self._match(now)

    def entered(self, worker_id: str, now: float) -> None:
        """A worker has entered the app's code, so its call takes time from now on.

        What went before says little about the app: with many short calls it is the engine's own work.
        """
        if worker_id not in self._leases:
            self._workers[worker_id].since = now

    def finished(self, worker_id: str, now: float) -> list[Command]:
        """A worker is done with its ticket and can take another."""
        if worker_id in self._leases:
            return self._leases.finished(worker_id)
        worker = self._workers[worker_id]
        if worker.is_set_up:
            self._paces[worker.app].called(now - worker.since)
        else:
            worker.load_seconds += now - worker.since
        worker.state, worker.since = _State.IDLE, now
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
        expired = [w for w in self._idle() if now >= w.since + self._limits.idle_seconds]
        return [self._stop(worker) for worker in expired] + self._match(now)

    def wakeup(self, now: float) -> float | None:
        """When `tick` has something to do, if nothing else happens before; None is never."""
        times = [worker.since + self._limits.idle_seconds for worker in self._idle()]
        for queue in self._queues.values():
            due = self._overdue_at(self._busy_for(queue[0]))
            if due is not None and due > now:
                times.append(due)
        return min(times, default=None)

    def _match(self, now: float) -> list[Command]:
        commands = self._surplus()
        while self._queues and self._one_round(now, commands):
            pass
        return commands + self._surplus()

    def _one_round(self, now: float, commands: list[Command]) -> bool:
        """Every app's first ticket gets its chance; whether one was served."""
        served = False
        leaving: int | None = None
        for app, queue in list(self._queues.items()):
            ticket = queue[0]
            command: Command | None = self._dispatched(ticket, now)
            if command is None:
                if not self._saves_time(ticket, now):
                    continue
                if not self._has_place(ticket):
                    # A place that is being vacated is room for one of those who wait, not for all of them.
                    if leaving is None:
                        leaving = self._leaving()
                    leaving -= 1
                    commands += self._make_room(ticket, now) if leaving < 0 else []
                    continue
                command = self._started(ticket, now)
            commands.append(command)
            self._served(app)
            served = True
        return served

    def _dispatched(self, ticket: Ticket, now: float) -> Dispatch | None:
        worker = self._warm(ticket)
        if worker is None:
            return None
        worker.state, worker.since = _State.BUSY, now
        worker.setup = worker.setup if ticket.setup is None else ticket.setup
        return Dispatch(worker.id, ticket.id)

    def _started(self, ticket: Ticket, now: float) -> Start:
        worker = _Worker(next(self._ids), ticket.app, ticket.version, ticket.setup, now)
        self._workers[worker.id] = worker
        return Start(worker.id, ticket.id)

    def _warm(self, ticket: Ticket) -> _Worker | None:
        """The suitable idle worker, one with the very setup first; the last used is the warmest."""
        workers = self._workers.values()
        suitable = [worker for worker in workers if worker.state is _State.IDLE and worker.suits(ticket)]
        if len(suitable) < 2:
            return suitable[0] if suitable else None
        return max(suitable, key=lambda w: (w.setup == ticket.setup, w.since))

    def _hire(self, ticket: Ticket) -> Start | Dispatch:
        """A worker for a session: nobody's call or setup may have left anything in it."""
        unused = (w for w in self._idle() if w.version == ticket.version and w.setup is None)
        worker = next(unused, None)
        if worker is None:
            return Start(next(self._ids), ticket.id)
        del self._workers[worker.id]
        return Dispatch(worker.id, ticket.id)

    def _saves_time(self, ticket: Ticket, now: float) -> bool:
        """Whether a worker started now would serve the ticket sooner than the busy ones will."""
        busy = self._busy_for(ticket)
        if not busy:
            return True
        pace = self._paces[ticket.app]
        work_seconds = len(self._queues[ticket.app]) * pace.call_seconds / len(busy)
        overdue_at = self._overdue_at(busy)
        return work_seconds >= pace.start_seconds or (overdue_at is not None and now >= overdue_at)

    def _overdue_at(self, busy: list[_Worker]) -> float | None:
        """When all their calls will have lasted as long as a start takes; None while none runs."""
        began = [worker.since for worker in busy if worker.is_set_up]
        return max(began) + self._paces[busy[0].app].start_seconds if began else None

    def _busy_for(self, ticket: Ticket) -> list[_Worker]:
        """The workers that will suit the ticket when they are done."""
        return [w for w in self._workers.values() if w.state is _State.BUSY and w.suits(ticket)]

    def _has_place(self, ticket: Ticket) -> bool:
        spare = 1 if ticket.setup is None else 0
        of_app = sum(worker.app == ticket.app for worker in self._workers.values())
        return (
            len(self._workers) < self._limits.workers + spare
            and of_app < self._limits.workers_per_app + spare
        )

    def _make_room(self, ticket: Ticket, now: float) -> list[Command]:
        of_app = sum(worker.app == ticket.app for worker in self._workers.values())
        app_is_full = of_app >= self._limits.workers_per_app
        evictable = [
            worker
            for worker in self._idle()
            if (not app_is_full or worker.app == ticket.app) and not self._is_needed(worker, now)
        ]
        longest_idle = min(evictable, key=lambda worker: worker.since, default=None)
        return [] if longest_idle is None else [self._stop(longest_idle)]

    def _is_needed(self, worker: _Worker, now: float) -> bool:
        """Whether the worker's turn lasts and its own queue has work for it."""
        queue = self._queues.get(worker.app)
        turn_lasts = worker.settled_at is not None and now < worker.settled_at + self._limits.turn_seconds
        return turn_lasts and queue is not None and worker.suits(queue[0])

    def _surplus(self) -> list[Command]:
        """Stop idle workers where a probe went over a limit."""
        if len(self._workers) <= self._few:
            return []
        staying = [worker for worker in self._workers.values() if worker.state is not _State.STOPPING]
        stops: list[Command] = []
        for worker in sorted(self._idle(), key=lambda worker: worker.since):
            of_app = sum(other.app == worker.app for other in staying)
            if len(staying) > self._limits.workers or of_app > self._limits.workers_per_app:
                staying.remove(worker)
                stops.append(self._stop(worker))
        return stops

    def _idle(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.state is _State.IDLE]

    def _leaving(self) -> int:
        return sum(worker.state is _State.STOPPING for worker in self._workers.values())

    def _stop(self, worker: _Worker) -> Stop:
        worker.state = _State.STOPPING
        return Stop(worker.id)

    def _served(self, app: str) -> None:
        queue = self._queues[app]
        queue.popleft()
        if queue:
            self._queues.move_to_end(app)
        else:
            del self._queues[app]

    def _forget_if_empty(self, app: str) -> None:
        if not self._queues[app]:
            del self._queues[app]
