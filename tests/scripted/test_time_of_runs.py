"""The time given to a run: it covers uploads, the start and the waiting, whichever takes it."""

import pytest

from inferencesh_core.errors import APIError, ConnectError, TaskTimeoutError, UploadError
from inferencesh_core.testing.replies import Reply, answer, refused, silence, stream
from inferencesh_core.testing.world import World

RUN = {"app": "a/b", "input": {"text": "x"}}
UPLOAD = {"app": "a/b", "input": {"file": b"content"}}
STORE = [{"id": "f", "uri": "inf://f", "upload_url": "https://store.test/put"}]


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def served(**replies):
    """Give what answers ``put``, ``files``, ``run`` and ``stream`` as told, and everything else at once."""
    usual = {"files": answer(STORE), "run": answer({"id": "t1", "status": 1}), "put": answer(None)}

    def serve(seen):
        name = seen.line.rpartition("/")[2]
        return replies.get(name) or usual.get(name) or answer({"id": "t1", "status": 7})

    return World(serve)


RUNS = {
    "run": lambda tasks, params, seconds: tasks.run(params, timeout=seconds),
    "accepted": lambda tasks, params, seconds: tasks.run(params, wait=False, timeout=seconds),
    "streamed": lambda tasks, params, seconds: [*tasks.run(params, stream=True, timeout=seconds)],
    "many": lambda tasks, params, seconds: [*tasks.run_many([params], timeout=seconds)],
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize(
    ("params", "slow"),
    [
        (RUN, {"run": silence()}),
        (RUN, {"run": answer(None, 503)}),
        (UPLOAD, {"files": silence()}),
        (UPLOAD, {"put": silence()}),
        (UPLOAD, {"put": answer(None, after=0.7), "run": answer({"id": "t1", "status": 1}, after=0.7)}),
    ],
)
def test_what_comes_before_the_task_takes_of_its_time(params, slow, run):
    world = served(**slow)
    with pytest.raises((TaskTimeoutError, APIError)) as caught:
        run(world.client(backoff_base=0.4).tasks, params, 1)
    assert world.now <= 1
    if isinstance(caught.value, TaskTimeoutError):
        assert world.now == pytest.approx(1)
        assert caught.value.task_id is None
        assert "a/b was not started within 1 s" in str(caught.value)
        assert "tasks.list" in str(caught.value)
    else:
        assert slow["run"].status == caught.value.status_code  # what it was refused for says more


@pytest.mark.parametrize("run", [RUNS["run"], RUNS["streamed"], RUNS["many"]])
def test_waiting_has_what_the_start_left(run):
    started = answer({"id": "t1", "status": 1}, after=2.0)
    world = served(run=started, stream=Reply(steps=(b'{"id": "t1", "status": 7}\n', 100.0)))
    with pytest.raises(TaskTimeoutError, match="task t1 did not end within 5 s") as caught:
        run(world.client().tasks, RUN, 5)
    assert world.now == pytest.approx(5)
    assert caught.value.task_id == "t1"


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_any_time_nothing_is_started(seconds):
    world = World([])
    with pytest.raises(TaskTimeoutError):
        world.client().tasks.run(RUN, timeout=seconds)
    assert world.seen == []


def test_a_start_that_fails_in_time_fails_as_ever():
    with pytest.raises(ConnectError):
        World([refused()]).client(max_attempts=1).tasks.run(RUN, timeout=10)
    with pytest.raises(UploadError):
        served(put=answer(None, 403)).client().tasks.run(UPLOAD, timeout=10)


def test_an_upload_without_a_time_limit_is_waited_for():
    world = served(put=answer(None, after=50.0), stream=stream({"id": "t1", "status": 10}))
    world.client().tasks.run(UPLOAD)
    assert world.now == pytest.approx(50)
