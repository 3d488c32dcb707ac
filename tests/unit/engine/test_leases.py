"""Workers held by sessions: rule by rule, and then under every order of events hypothesis finds."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inferencesh_engine.domain.placement import Dispatch, Start, Stop, Ticket
from inferencesh_engine.scheduler import Limits, Scheduler

LIMITS = Limits(workers=1, workers_per_app=1, idle_seconds=10)


def call(name, session="s1", app="a"):
    return Ticket(name, app, f"{app}1", "null", session)


@pytest.fixture
def scheduler():
    return Scheduler(LIMITS)


def test_a_session_gets_a_fresh_worker_though_a_warm_one_is_idle(scheduler):
    scheduler.submit(Ticket("t1", "a", "a1", "null"), 0)
    scheduler.finished("worker-1", 1)
    assert scheduler.submit(call("c1"), 1) == [Start("worker-2", "c1")]


def test_a_worker_that_only_loaded_the_app_is_as_good_as_a_fresh_one(scheduler):
    scheduler.submit(Ticket("probe", "a", "a1", None), 0)
    scheduler.finished("worker-1", 1)
    assert scheduler.submit(call("c1"), 1) == [Dispatch("worker-1", "c1")]
    assert scheduler.submit(Ticket("t1", "a", "a1", "null"), 1) == [Start("worker-2", "t1")]


def test_calls_run_one_after_the_other_on_the_sessions_worker(scheduler):
    scheduler.submit(call("c1"), 0)
    assert scheduler.submit(call("c2"), 0) == []
    assert scheduler.submit(call("c3"), 0) == []
    assert scheduler.finished("worker-1", 1) == [Dispatch("worker-1", "c2")]
    assert scheduler.finished("worker-1", 2) == [Dispatch("worker-1", "c3")]
    assert scheduler.finished("worker-1", 3) == []
    assert scheduler.submit(call("c4"), 4) == [Dispatch("worker-1", "c4")]


def test_sessions_take_no_place_of_other_workers_and_never_idle_out(scheduler):
    scheduler.submit(call("c1", "s1"), 0)
    assert scheduler.submit(call("c2", "s2"), 0) == [Start("worker-2", "c2")]
    assert scheduler.submit(Ticket("t1", "a", "a1", "null"), 0) == [Start("worker-3", "t1")]
    scheduler.finished("worker-1", 1)
    assert scheduler.tick(1000) == []


def test_nobody_else_is_served_by_a_sessions_worker(scheduler):
    scheduler.submit(call("c1"), 0)
    scheduler.finished("worker-1", 1)
    assert scheduler.submit(Ticket("t1", "a", "a1", "null"), 1) == [Start("worker-2", "t1")]


def test_a_released_worker_stops_when_it_is_idle(scheduler):
    scheduler.submit(call("c1"), 0)
    assert scheduler.release("s1") == []
    assert scheduler.release("s1") == []
    assert scheduler.finished("worker-1", 1) == [Stop("worker-1")]
    assert scheduler.gone("worker-1", 2) == []
    assert scheduler.release("s1") == []


def test_a_waiting_call_can_be_taken_back(scheduler):
    scheduler.submit(call("c1"), 0)
    scheduler.submit(call("c2"), 0)
    assert scheduler.withdraw("c2")
    assert not scheduler.withdraw("c1")
    assert scheduler.finished("worker-1", 1) == []


class House(RuleBasedStateMachine):
    """Sessions and ordinary tickets by turns; who holds which worker is written down here again."""

    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(Limits(workers=2, workers_per_app=2, idle_seconds=10))
        self.now = 0.0
        self.count = 0
        self.waiting = {}
        self.held = {}  # worker: the ticket it has
        self.known = {}  # living worker: its session, None for everybody's
        self.touched = set()  # workers that served a call, or were set up
        self.stopping = set()
        self.over = set()
        self.served = defaultdict(list)

    def obey(self, commands):
        for command in commands:
            if isinstance(command, Stop):
                assert command.worker_id not in self.held
                assert command.worker_id not in self.stopping
                session = self.known[command.worker_id]
                assert session is None or session in self.over, "a session's worker was taken away"
                self.stopping.add(command.worker_id)
            else:
                self.serve(command.worker_id, self.waiting.pop(command.ticket_id), isinstance(command, Start))

    def serve(self, worker, ticket, starts):
        assert worker not in self.held, "two tickets at a time"
        assert worker not in self.stopping
        assert starts != (worker in self.known)
        if ticket.session is None:
            assert self.known.setdefault(worker, None) is None, "a session's worker serves everybody"
        else:
            self.check_lease(worker, ticket)
        if ticket.setup is not None:
            self.touched.add(worker)
        self.held[worker] = ticket

    def check_lease(self, worker, ticket):
        assert ticket.session not in self.over
        holders = [each for each, session in self.known.items() if session == ticket.session]
        if holders:
            assert holders == [worker], "a session has two workers"
        else:
            assert worker not in self.touched, "the first call found a worker somebody had used"
            self.known[worker] = ticket.session
        self.served[ticket.session].append(int(ticket.id))
        assert self.served[ticket.session] == sorted(self.served[ticket.session]), "out of order"

    def sessions(self):
        return sorted({session for session in self.known.values() if session} - self.over)

    def submit(self, app, setup, session=None):
        self.count += 1
        ticket = Ticket(str(self.count), app, f"{app}1", setup, session)
        self.waiting[ticket.id] = ticket
        self.obey(self.scheduler.submit(ticket, self.now))

    @rule(app=st.sampled_from("ab"))
    def open_session(self, app):
        self.submit(app, "x", f"{app}-{self.count}")

    @precondition(lambda self: self.sessions())
    @rule(data=st.data())
    def call_session(self, data):
        session = data.draw(st.sampled_from(self.sessions()))
        self.submit(session[0], "x", session)

    @rule(app=st.sampled_from("ab"), setup=st.sampled_from(["x", "y", None]))
    def submit_ticket(self, app, setup):
        self.submit(app, setup)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data):
        worker = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[worker]
        self.obey(self.scheduler.finished(worker, self.now))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def go_on(self, data):
        """A worker says that it is set up, or has entered the app's code."""
        worker = data.draw(st.sampled_from(sorted(self.held)))
        if self.held[worker].setup is not None:
            self.obey(self.scheduler.set_up(worker, self.now))
            self.scheduler.entered(worker, self.now)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def die(self, data):
        worker = data.draw(st.sampled_from(sorted(self.known)))
        self.held.pop(worker, None)
        self.stopping.discard(worker)
        session = self.known.pop(worker)
        if session is not None:
            self.forget(session)
        self.obey(self.scheduler.gone(worker, self.now))

    @precondition(lambda self: self.sessions())
    @rule(data=st.data())
    def release(self, data):
        session = data.draw(st.sampled_from(self.sessions()))
        self.forget(session)
        self.obey(self.scheduler.release(session))

    def forget(self, session):
        self.over.add(session)
        self.waiting = {name: ticket for name, ticket in self.waiting.items() if ticket.session != session}

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data):
        name = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.scheduler.withdraw(name)
        del self.waiting[name]

    @rule(seconds=st.sampled_from([1.0, 11.0]))
    def pass_time(self, seconds):
        self.now += seconds
        self.obey(self.scheduler.tick(self.now))

    @invariant()
    def no_call_waits_for_an_idle_worker(self):
        idle = {session for worker, session in self.known.items() if worker not in self.held}
        assert not [ticket for ticket in self.waiting.values() if ticket.session and ticket.session in idle]

    @invariant()
    def the_workers_of_everybody_keep_to_their_limit(self):
        shared = [worker for worker, session in self.known.items() if session is None]
        assert len(shared) <= 3  # one more than the limit, for a probe

    @invariant()
    def a_session_that_is_over_keeps_no_idle_worker(self):
        for worker, session in self.known.items():
            if session in self.over and worker not in self.held:
                assert worker in self.stopping


TestHouse = House.TestCase
TestHouse.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
