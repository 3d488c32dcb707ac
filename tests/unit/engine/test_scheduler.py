"""The scheduler's rules, one by one and then under every order of events hypothesis finds."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inferencesh_engine.pace import USUAL_START_SECONDS
from inferencesh_engine.scheduler import Dispatch, Limits, Scheduler, Start, Stop, Ticket

LIMITS = Limits(workers=2, workers_per_app=2, idle_seconds=10)


def ticket(name, app="a", setup="null", version=None):
    return Ticket(name, app, version or f"{app}1", setup)


def probe(name, app="a"):
    return Ticket(name, app, f"{app}1", None)


@pytest.fixture
def scheduler():
    return Scheduler(LIMITS)


def test_the_first_ticket_starts_a_worker_at_once(scheduler):
    assert scheduler.submit(ticket("t1"), 0) == [Start("worker-1", "t1")]


def test_a_warm_worker_is_given_the_next_ticket(scheduler):
    scheduler.submit(ticket("t1"), 0)
    scheduler.submit(ticket("t2"), 0)
    assert scheduler.finished("worker-1", 0.01) == [Dispatch("worker-1", "t2")]


def test_calls_that_last_as_long_as_a_start_get_a_second_worker(scheduler):
    scheduler.submit(ticket("t1"), 0)
    assert scheduler.submit(ticket("t2"), 0) == []
    assert scheduler.wakeup(3) is None, "nobody can say how long a call lasts that has not begun"
    scheduler.set_up("worker-1", USUAL_START_SECONDS)
    overdue = 2 * USUAL_START_SECONDS
    assert scheduler.tick(overdue - 0.01) == []
    assert scheduler.wakeup(overdue - 0.01) == overdue
    assert scheduler.tick(overdue) == [Start("worker-2", "t2")]


def test_how_long_a_start_takes_is_learned(scheduler):
    scheduler.submit(probe("p"), 0)
    scheduler.finished("worker-1", 20)
    scheduler.submit(ticket("t1"), 100)
    scheduler.set_up("worker-1", 120)
    scheduler.submit(ticket("t2"), 120)
    assert scheduler.wakeup(120) == 120 + (USUAL_START_SECONDS + 40) / 2


def test_a_start_that_was_quick_does_not_promise_another(scheduler):
    scheduler.submit(ticket("t1"), 0)
    scheduler.set_up("worker-1", 0.01)
    scheduler.submit(ticket("t2"), 0.01)
    assert scheduler.wakeup(0.01) == 0.01 + USUAL_START_SECONDS


def test_one_worker_serves_any_number_of_short_calls():
    assert workers_after_a_load(calls=32, seconds=0.001) == 1


def test_many_longer_calls_get_all_workers_there_may_be_when_the_first_has_ended():
    assert workers_after_a_load(calls=64, seconds=0.05) == 4


def test_what_goes_before_the_apps_code_is_not_taken_for_its_calls():
    assert workers_after_a_load(calls=64, seconds=0.05, entered_after=0.049) == 1


def test_one_slow_call_among_short_ones_starts_no_worker():
    assert workers_after_a_load(calls=32, seconds=0.001, slow_seconds=0.1) == 1


def workers_after_a_load(calls, seconds, slow_seconds=0.0, entered_after=0.0):
    """As many calls are kept waiting; one by one ends, the last one slowly, then the first of a new lot."""
    scheduler = Scheduler(Limits(workers=4, workers_per_app=4, idle_seconds=10))
    scheduler.submit(ticket("t0"), 0)
    scheduler.set_up("worker-1", USUAL_START_SECONDS)
    now, commands = USUAL_START_SECONDS, []
    for number in range(1, 2 * calls):
        commands += scheduler.submit(ticket(f"t{number}"), now)
        if number >= calls:
            scheduler.entered("worker-1", now + entered_after)
            now += max(seconds, slow_seconds * (number == 2 * calls - 2))
            commands += scheduler.finished("worker-1", now)
            if any(isinstance(command, Start) for command in commands):
                break
    return 1 + sum(isinstance(command, Start) for command in commands)


def test_the_queue_is_shared_by_the_workers_there_are():
    scheduler = Scheduler(Limits(workers=4, workers_per_app=4, idle_seconds=10))
    scheduler.submit(ticket("t1"), 0)
    scheduler.set_up("worker-1", USUAL_START_SECONDS)
    scheduler.finished("worker-1", USUAL_START_SECONDS + 0.3)
    starts = [scheduler.submit(ticket(f"t{number}"), 2) for number in range(2, 8)]
    assert starts == [
        [Dispatch("worker-1", "t2")],
        [],
        [Start("worker-2", "t3")],
        [],
        [],
        [Start("worker-3", "t4")],
    ]


def test_another_setup_does_not_wait_for_a_worker_that_cannot_serve_it(scheduler):
    scheduler.submit(ticket("t1", setup="1"), 0)
    assert scheduler.submit(ticket("t2", setup="2"), 0) == [Start("worker-2", "t2")]


def test_a_loaded_worker_without_setup_serves_any_setup_once(scheduler):
    scheduler.submit(probe("p"), 0)
    scheduler.finished("worker-1", 1)
    assert scheduler.submit(ticket("t1", setup="1"), 1) == [Dispatch("worker-1", "t1")]
    scheduler.finished("worker-1", 2)
    assert scheduler.submit(ticket("t2", setup="2"), 2) == [Start("worker-2", "t2")]


def test_the_worker_with_the_very_setup_is_preferred_to_an_unused_one(scheduler):
    scheduler.submit(ticket("t1", setup="1"), 0)
    scheduler.set_up("worker-1", 0)
    scheduler.submit(probe("p"), 0)
    scheduler.tick(1)
    scheduler.finished("worker-1", 2)
    scheduler.finished("worker-2", 3)
    assert scheduler.submit(ticket("t2", setup="1"), 4) == [Dispatch("worker-1", "t2")]


def test_an_edited_app_gets_a_new_worker(scheduler):
    scheduler.submit(ticket("t1"), 0)
    scheduler.finished("worker-1", 1)
    assert scheduler.submit(ticket("t2", version="a2"), 1) == [Start("worker-2", "t2")]


def test_a_full_house_makes_room_by_stopping_the_worker_idle_longest(scheduler):
    scheduler.submit(ticket("t1", "a"), 0)
    scheduler.submit(ticket("t2", "b"), 0)
    scheduler.finished("worker-2", 1)
    scheduler.finished("worker-1", 2)
    assert scheduler.submit(ticket("t3", "c"), 3) == [Stop("worker-2")]
    assert scheduler.submit(ticket("t4", "a"), 3) == [Dispatch("worker-1", "t4")]
    assert scheduler.gone("worker-2", 4) == [Start("worker-3", "t3")]


def test_one_place_being_vacated_is_not_vacated_twice(scheduler):
    scheduler.submit(ticket("t1", "a"), 0)
    scheduler.submit(ticket("t2", "b"), 0)
    scheduler.finished("worker-1", 1)
    scheduler.finished("worker-2", 1)
    assert scheduler.submit(ticket("t3", "c"), 2) == [Stop("worker-1")]
    assert scheduler.tick(3) == []
    assert scheduler.submit(ticket("t4", "d"), 3) == [Stop("worker-2")]


def test_an_app_at_its_own_limit_makes_room_among_its_own_workers():
    scheduler = Scheduler(Limits(workers=3, workers_per_app=1, idle_seconds=10))
    scheduler.submit(ticket("t1", "b"), 0)
    scheduler.finished("worker-1", 1)
    scheduler.submit(ticket("t2", "a", setup="1"), 1)
    scheduler.finished("worker-2", 2)
    assert scheduler.submit(ticket("t3", "a", setup="2"), 3) == [Stop("worker-2")]


def test_apps_take_turns():
    assert served_by_one_worker(turn_seconds=0) == ["a1", "a2", "b1", "a3", "b2", "a4"]


def test_a_turn_lasts_while_the_worker_still_has_work():
    assert served_by_one_worker(turn_seconds=1) == ["a1", "a2", "a3", "a4", "b1", "b2"]


def served_by_one_worker(turn_seconds):
    limits = Limits(workers=1, workers_per_app=1, idle_seconds=10, turn_seconds=turn_seconds)
    scheduler = Scheduler(limits)
    for name in ("a1", "a2", "a3", "b1", "b2", "a4"):
        scheduler.submit(ticket(name, app=name[0]), 0)
    served, commands, worker = ["a1"], [], "worker-1"
    while len(served) < 6:
        commands = commands or scheduler.finished(worker, 1)
        command = commands.pop(0)
        if isinstance(command, Stop):
            commands += scheduler.gone(command.worker_id, 1)
        else:
            served.append(command.ticket_id)
            worker = command.worker_id
    return served


def test_an_idle_worker_stops_after_its_time(scheduler):
    scheduler.submit(ticket("t1"), 0)
    scheduler.finished("worker-1", 5)
    assert scheduler.wakeup(5) == 15
    assert scheduler.tick(14.9) == []
    assert scheduler.tick(15) == [Stop("worker-1")]


def test_a_probe_does_not_wait_behind_long_calls_and_gives_its_place_back(scheduler):
    scheduler.submit(ticket("t1", "a"), 0)
    scheduler.submit(ticket("t2", "b"), 0)
    assert scheduler.submit(probe("p", "c"), 0) == [Start("worker-3", "p")]
    assert scheduler.finished("worker-3", 1) == [Stop("worker-3")]


def test_a_withdrawn_ticket_is_not_served(scheduler):
    scheduler.submit(ticket("t1"), 0)
    scheduler.submit(ticket("t2"), 0)
    assert scheduler.withdraw("t2")
    assert not scheduler.withdraw("t1")
    assert scheduler.finished("worker-1", 1) == []


class Office(RuleBasedStateMachine):
    """A pool that obeys the scheduler, and keeps its own book of what happened."""

    def __init__(self):
        super().__init__()
        self.limits = Limits(workers=3, workers_per_app=2, idle_seconds=10)
        self.scheduler = Scheduler(self.limits)
        self.now = 0.0
        self.waiting: dict[str, Ticket] = {}
        self.held: dict[str, Ticket] = {}  # worker -> ticket
        self.idle: dict[str, Ticket] = {}  # worker -> the ticket it served last
        self.stopping: dict[str, Ticket] = {}
        self.withdrawn: set[str] = set()
        self.setups: dict[str, str] = {}
        self.set_up: set[str] = set()
        self.count = 0

    def obey(self, commands):
        for command in commands:
            if isinstance(command, Stop):
                self.stopping[command.worker_id] = self.idle.pop(command.worker_id)
                continue
            served = self.waiting.pop(command.ticket_id)
            assert served.id not in self.withdrawn
            earlier = [other for other in self.waiting.values() if other.app == served.app]
            assert all(int(other.id) > int(served.id) for other in earlier), "out of order within an app"
            if isinstance(command, Start):
                assert command.worker_id not in {**self.held, **self.idle, **self.stopping}
            else:
                assert self.idle.pop(command.worker_id).version == served.version
                assert self.setups.get(command.worker_id) in (None, served.setup) or served.setup is None
            if served.setup is not None:
                self.setups[command.worker_id] = served.setup
            self.held[command.worker_id] = served

    @rule(app=st.sampled_from("abc"), version=st.sampled_from("12"), setup=st.sampled_from(["x", "y", None]))
    def submit(self, app, version, setup):
        self.count += 1
        new = Ticket(str(self.count), app, app + version, setup)
        self.waiting[new.id] = new
        self.obey(self.scheduler.submit(new, self.now))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data):
        name = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.scheduler.withdraw(name)
        del self.waiting[name]
        self.withdrawn.add(name)

    def to_be_set_up(self):
        return sorted(w for w, held in self.held.items() if held.setup is not None and w not in self.set_up)

    @precondition(to_be_set_up)
    @rule(data=st.data())
    def serve(self, data):
        worker = data.draw(st.sampled_from(self.to_be_set_up()))
        self.set_up.add(worker)
        self.obey(self.scheduler.set_up(worker, self.now))

    def serving(self):
        return sorted(self.held.keys() - self.to_be_set_up())

    @precondition(serving)
    @rule(data=st.data())
    def enter(self, data):
        self.scheduler.entered(data.draw(st.sampled_from(self.serving())), self.now)

    @precondition(serving)
    @rule(data=st.data())
    def finish(self, data):
        worker = data.draw(st.sampled_from(self.serving()))
        self.idle[worker] = self.held.pop(worker)
        self.obey(self.scheduler.finished(worker, self.now))

    @precondition(lambda self: self.held or self.idle or self.stopping)
    @rule(data=st.data())
    def die(self, data):
        worker = data.draw(st.sampled_from(sorted({**self.held, **self.idle, **self.stopping})))
        for place in (self.held, self.idle, self.stopping):
            place.pop(worker, None)
        self.obey(self.scheduler.gone(worker, self.now))

    @rule(seconds=st.sampled_from([0.5, 1.0, 11.0]))
    def pass_time(self, seconds):
        self.now += seconds
        self.obey(self.scheduler.tick(self.now))

    @invariant()
    def limits_are_kept_but_for_the_place_of_a_probe(self):
        workers = {**self.held, **self.idle, **self.stopping}
        assert len(workers) <= self.limits.workers + 1
        for app in "abc":
            of_app = sum(ticket.app == app for ticket in workers.values())
            assert of_app <= self.limits.workers_per_app + 1

    @invariant()
    def no_worker_is_idle_over_the_limit(self):
        if len(self.held) + len(self.idle) > self.limits.workers:
            assert not self.idle

    @invariant()
    def time_never_stands_still(self):
        wakeup = self.scheduler.wakeup(self.now)
        assert wakeup is None or wakeup > self.now

    def teardown(self):
        """Whatever happened: when every call ends, every ticket is served, and in the end nobody is left."""
        steps = 10 * (self.count + 5)
        while (wakeup := self.scheduler.wakeup(self.now)) is not None or self.held or self.stopping:
            steps -= 1
            assert steps > 0, "work goes on for ever"
            if self.stopping:
                worker = next(iter(self.stopping))
                del self.stopping[worker]
                self.obey(self.scheduler.gone(worker, self.now))
            elif self.held:
                worker = next(iter(self.held))
                self.idle[worker] = self.held.pop(worker)
                self.obey(self.scheduler.finished(worker, self.now))
            else:
                self.now = wakeup
                self.obey(self.scheduler.tick(self.now))
        assert not self.waiting
        assert not self.idle


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
