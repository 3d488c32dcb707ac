"""A session's life by a scripted clock: rule by rule, and then against a model in every order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.domain.session import SessionStatus, not_found, opened, why_over


def begun(timeout=60, now=1000.0):
    return opened("sess_1", app_id="a", app_version_id="v", task_id="t1", timeout=timeout, now=now)


def test_a_session_begins_with_a_call_and_does_not_expire_while_that_runs():
    session = begun(timeout=5)
    assert (session.call_count, session.last_call_at, session.calls) == (1, 1000.0, ("t1",))
    assert not session.is_due(9999)
    assert session.expiry(2000) == 2005


def test_the_default_timeout_is_sixty_seconds():
    assert begun(timeout=None).idle_timeout == 60


def test_a_completed_call_sets_the_idle_clock_back():
    session = begun(timeout=5).answered("t1", True, 1100)
    assert session.expires_at == 1105
    assert not session.is_due(1104.9)
    assert session.is_due(1105)


def test_a_failed_call_lets_the_clock_go_on_where_it_stood():
    session = begun(timeout=5).answered("t1", True, 1000).called("t2", 1003)
    assert session.answered("t2", False, 1100).expires_at == 1102


def test_the_clock_stands_still_until_the_last_of_several_calls_has_ended():
    session = begun(timeout=5).called("t2", 1001).answered("t1", True, 1002)
    assert not session.is_due(5000)
    assert session.answered("t2", False, 1010).expires_at == 1015


def test_a_keepalive_sets_the_clock_back_also_while_a_call_runs():
    idle = begun(timeout=5).answered("t1", True, 1000).kept_alive(1004)
    assert idle.expires_at == 1009
    busy = idle.called("t2", 1008).kept_alive(1020).answered("t2", False, 1030)
    assert busy.expires_at == 1035


def test_a_call_that_was_not_stored_is_not_counted():
    session = begun().answered("t1", True, 1000).called("t2", 1001).withdrawn("t2", 1002)
    assert (session.call_count, session.calls) == (1, ())


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        (SessionStatus.ENDED, 410, "SESSION_ENDED"),
        (SessionStatus.EXPIRED, 410, "SESSION_EXPIRED"),
        (SessionStatus.LOST, 500, "WORKER_LOST"),
    ],
)
def test_a_session_that_is_over_stays_so_and_says_how(how, status, code):
    session = begun().over(how, 1010)
    for again in SessionStatus.ENDED, SessionStatus.EXPIRED, SessionStatus.LOST:
        assert session.over(again, 1020) is session
    for asked in (lambda: session.called("t2", 1020), lambda: session.kept_alive(1020), session.check):
        with pytest.raises(Problem) as caught:
            asked()
        problem = caught.value
        assert (problem.status, problem.code, problem.extra["code"]) == (status, code.lower(), code)
        assert problem.extra["session_id"] == "sess_1"
        assert why_over(session) in problem.detail


def test_an_unknown_session_is_a_404():
    problem = not_found("sess_9")
    assert (problem.status, problem.extra["code"]) == (404, "SESSION_NOT_FOUND")


def test_the_dto_has_every_field_of_the_protocol():
    session = begun(timeout=5, now=1_772_355_600.0).held_by("worker_1", 1_772_355_601.0)
    assert session.dto(1_772_355_602.0) == {
        "id": "sess_1",
        "short_id": "sess_1",
        "created_at": "2026-03-01T09:00:00.000000Z",
        "updated_at": "2026-03-01T09:00:01.000000Z",
        "deleted_at": None,
        "user_id": "",
        "user": None,
        "team_id": "",
        "team": None,
        "visibility": "private",
        "worker_id": "worker_1",
        "app_id": "a",
        "app_version_id": "v",
        "status": "active",
        "expires_at": "2026-03-01T09:00:07.000000Z",
        "ended_at": None,
        "task_id": "t1",
        "call_count": 1,
        "last_call_at": "2026-03-01T09:00:00.000000Z",
        "idle_timeout": 5,
    }


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        (SessionStatus.ENDED, "ended"),
        (SessionStatus.EXPIRED, "expired"),
        (SessionStatus.LOST, "ended"),
    ],
)
def test_the_dto_shows_the_three_statuses_there_are(how, shown):
    dto = begun(now=1_772_355_600.0).over(how, 1_772_355_600.0).dto(1_772_355_700.0)
    assert (dto["status"], dto["ended_at"]) == (shown, "2026-03-01T09:00:00.000000Z")


class Life(RuleBasedStateMachine):
    """One session, and beside it the plainest account of it: seconds of idleness left, and open calls."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.session = begun(timeout=10)
        self.left = 10.0
        self.open = ["t1"]
        self.accepted = 1
        self.over = None

    def fold(self, change):
        """Apply an event that only an active session takes."""
        if self.over is None:
            self.session = change(self.session)
            return True
        with pytest.raises(Problem):
            change(self.session)
        return False

    @rule()
    def call(self):
        name = f"t{self.accepted + 1}"
        if self.fold(lambda session: session.called(name, self.now)):
            self.open.append(name)
            self.accepted += 1

    @precondition(lambda self: self.open)
    @rule(data=st.data(), completed=st.booleans())
    def answer(self, data, completed):
        name = data.draw(st.sampled_from(self.open))
        self.open.remove(name)
        self.session = self.session.answered(name, completed, self.now)
        if completed and self.over is None:
            self.left = 10.0

    @precondition(lambda self: self.open and self.over is None)
    @rule()
    def withdraw(self):
        name = self.open.pop()
        self.session = self.session.withdrawn(name, self.now)
        self.accepted -= 1

    @rule()
    def keep_alive(self):
        if self.fold(lambda session: session.kept_alive(self.now)):
            self.left = 10.0

    @rule(how=st.sampled_from([SessionStatus.ENDED, SessionStatus.LOST]))
    def finish(self, how):
        self.session = self.session.over(how, self.now)
        self.over = self.over or how

    @rule(seconds=st.sampled_from([0.5, 3.0, 9.5, 30.0]))
    def pass_time(self, seconds):
        """The engine looks when the alarm rings, which is never before `expires_at`."""
        self.now += seconds
        if not self.open:
            self.left -= seconds
        due = self.over is None and not self.open and self.left <= 0
        assert self.session.is_due(self.now) == due
        if due:
            self.session = self.session.over(SessionStatus.EXPIRED, self.now)
            self.over = SessionStatus.EXPIRED

    @rule()
    def store_and_read_back(self):
        """What is not stored is only what a live session needs."""
        kept = replace(self.session, calls=(), idle_left=None)
        assert (kept.status, kept.ended_at, kept.call_count) == (
            self.session.status,
            self.session.ended_at,
            self.session.call_count,
        )

    @invariant()
    def the_record_is_what_happened(self):
        assert self.session.status is (self.over or SessionStatus.ACTIVE)
        assert (self.session.ended_at is None) == (self.over is None)
        assert self.session.call_count == self.accepted
        assert list(self.session.calls) == self.open
        if self.over is None:
            assert self.session.expiry(self.now) == pytest.approx(self.now + self.left)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
