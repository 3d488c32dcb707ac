"""What a restarted engine, or the death of a worker, makes of an unfinished task."""

from types import SimpleNamespace

import pytest

from inferencesh_app.manifest import Manifest
from inferencesh_core.statuses import TaskStatus
from inferencesh_engine.domain.recovery import after_restart, at_stop, may_run_again
from inferencesh_engine.domain.task import TaskState


def app(retry=None):
    metadata = {} if retry is None else {"retry": retry}
    return SimpleNamespace(ref="acme/x", manifest=Manifest(name="x", metadata=metadata))


def state(status, attempt=1):
    return TaskState(seq=3, attempt=attempt, status=status, updated_at=1.0)


BEGUN = [TaskStatus.DISPATCHED, TaskStatus.PREPARING, TaskStatus.SERVING, TaskStatus.SETTING_UP]
BEGUN += [TaskStatus.RUNNING, TaskStatus.UPLOADING]


@pytest.mark.parametrize("status", [TaskStatus.RECEIVED, TaskStatus.QUEUED])
def test_a_task_that_had_not_begun_is_simply_submitted(status):
    assert after_restart(state(status), app("never"), 3) is None


@pytest.mark.parametrize("status", BEGUN)
def test_a_task_that_had_begun_gets_a_new_attempt(status):
    assert after_restart(state(status), app(), 3) == {"attempt": 2, "status": TaskStatus.QUEUED}


def test_a_task_being_cancelled_is_cancelled():
    assert after_restart(state(TaskStatus.CANCELLING), app(), 3) == {"status": TaskStatus.CANCELLED}


@pytest.mark.parametrize(
    ("attempt", "of", "told"),
    [
        (1, app("never"), "acme/x is not to run again (metadata.retry in its inf.yml)"),
        (3, app(), "not tried more than 3 times"),
        (1, None, "its app is gone"),
    ],
)
def test_a_task_that_may_not_run_again_fails_with_the_reason(attempt, of, told):
    change = after_restart(state(TaskStatus.RUNNING, attempt), of, 3)
    assert change["status"] is TaskStatus.FAILED
    assert "the engine restarted" in change["error"]
    assert told in change["error"]


@pytest.mark.parametrize("attempt", [1, 3, 30])
@pytest.mark.parametrize("status", BEGUN)
def test_an_engine_that_stops_leaves_what_runs_to_the_next_however_often(status, attempt):
    change = at_stop(state(status, attempt), app(), 3)
    assert change == {"attempt": attempt + 1, "status": TaskStatus.QUEUED}
    assert after_restart(state(change["status"], change["attempt"]), app(), 3) is None


@pytest.mark.parametrize(
    ("status", "of", "max_attempts"),
    [
        (TaskStatus.QUEUED, app(), 3),
        (TaskStatus.CANCELLING, app(), 3),
        (TaskStatus.RUNNING, app("never"), 3),
        (TaskStatus.RUNNING, None, 3),
        (TaskStatus.RUNNING, app(), 1),
    ],
)
def test_what_has_not_begun_or_may_not_run_again_is_left_as_it_is(status, of, max_attempts):
    assert at_stop(state(status), of, max_attempts) is None


@pytest.mark.parametrize(("retry", "again"), [(None, False), ("never", False), ("always", True)])
def test_the_death_of_a_worker_is_retried_only_where_the_app_asks_for_it(retry, again):
    assert may_run_again(state(TaskStatus.RUNNING), app(retry), 3, "worker") is again
