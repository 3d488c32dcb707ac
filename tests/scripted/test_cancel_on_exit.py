"""Whoever asks for it leaves no task behind that nobody waits for."""

import logging

import pytest

from inferencesh_core.errors import TaskFailedError, TaskTimeoutError
from inferencesh_core.testing.replies import answer, cut, silence, stream
from inferencesh_core.testing.world import World

RUN = {"app": "a/b", "input": {}}
ACCEPTED = {"id": "t1", "status": 1}
RUNNING = {"id": "t1", "status": 7}
CANCEL = "POST /tasks/t1/cancel"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def server(*steps, cancelling=None):
    """One task, whose stream shows the given steps and then falls silent."""

    def reply(seen):
        if seen.line == "POST /apps/run":
            return answer(ACCEPTED)
        if seen.line == CANCEL:
            return cancelling or answer(None, 204)
        if seen.line.endswith("/stream"):
            return stream(*steps, 1e9)
        return answer(RUNNING)

    return reply


def divide_by_zero(updates):
    with updates:
        for _ in updates:
            1 / 0  # noqa: B018


def lines(world):
    return [seen.line for seen in world.seen]


def test_a_stream_left_early_cancels_its_task_after_its_connection_is_closed():
    world = World(server(RUNNING))
    open_when_cancelled = []

    def reply(seen, serve=world.server):
        if seen.line == CANCEL:
            open_when_cancelled.append(world.open_streams)
        return serve(seen)

    world.server = reply
    with world.client().tasks.run(RUN, stream=True, cancel_on_exit=True) as updates:
        for _ in updates:
            break
    assert lines(world) == ["POST /apps/run", "GET /tasks/t1/stream", CANCEL]
    assert open_when_cancelled == [0]


def test_a_stream_of_a_task_that_somebody_else_started_cancels_it_too():
    world = World(server(RUNNING))
    with world.client().tasks.stream("t1", cancel_on_exit=True) as updates:
        next(iter(updates))
    assert lines(world)[-1] == CANCEL


def test_an_error_in_the_loop_over_a_stream_cancels_the_task():
    world = World(server(RUNNING))
    with pytest.raises(ZeroDivisionError):
        divide_by_zero(world.client().tasks.run(RUN, stream=True, cancel_on_exit=True))
    assert lines(world)[-1] == CANCEL


def test_a_stream_that_nobody_iterated_cancels_its_task():
    world = World(server())
    with world.client().tasks.run(RUN, stream=True, cancel_on_exit=True):
        pass
    assert lines(world) == ["POST /apps/run", CANCEL]


def test_a_time_out_cancels_the_task():
    world = World(server(RUNNING))
    with pytest.raises(TaskTimeoutError, match="it is cancelled, as cancel_on_exit asks"):
        world.client().tasks.run(RUN, timeout=3, cancel_on_exit=True)
    assert lines(world)[-1] == CANCEL
    assert world.now == 3


@pytest.mark.parametrize("status", [10, 11, 12])
def test_a_task_that_is_over_is_not_cancelled(status):
    world = World(server({"id": "t1", "status": status, "error": "bad"}))
    with world.client().tasks.run(RUN, stream=True, cancel_on_exit=True) as updates:
        iterator = iter(updates)
        assert next(iterator)["status"] == status
    assert CANCEL not in lines(world)


def test_a_failed_task_is_not_cancelled():
    world = World(server({"id": "t1", "status": 11, "error": "bad"}))
    with pytest.raises(TaskFailedError):
        world.client().tasks.run(RUN, cancel_on_exit=True)
    assert CANCEL not in lines(world)


def test_without_asking_for_it_leaving_cancels_nothing():
    world = World(server(RUNNING))
    with world.client().tasks.run(RUN, stream=True) as updates:
        next(iter(updates))
    with pytest.raises(TaskTimeoutError, match=r"it goes on, and tasks\.wait_for_completion"):
        world.client().tasks.run(RUN, timeout=3)
    assert CANCEL not in lines(world)


@pytest.mark.parametrize("failing", [cut(), silence(), answer({"detail": "no"}, 403)])
def test_cancelling_that_fails_is_logged_and_holds_nobody_up(failing, caplog):
    world = World(server(RUNNING, cancelling=failing))
    with (
        caplog.at_level(logging.WARNING, "inferencesh"),
        world.client().tasks.run(RUN, stream=True, cancel_on_exit=True) as updates,
    ):
        next(iter(updates))
    assert "after an operation had ended" in caplog.text
    assert world.now <= 5
