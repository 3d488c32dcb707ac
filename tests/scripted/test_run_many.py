"""Running many tasks: as they complete, so many at a time, failures where they belong."""

import itertools
import math

import pytest

from inferencesh_core.errors import APIError, TaskFailedError, TaskTimeoutError
from inferencesh_core.testing.replies import Reply, answer, cut, stream
from inferencesh_core.testing.world import World


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


class Apps:
    """Runs tasks whose input says how long they take and how they end."""

    def __init__(self):
        self.started = []

    def __call__(self, seen):
        if seen.line == "POST /apps/run":
            wanted = seen.json["input"]
            self.started.append(wanted["number"])
            if wanted.get("refuse"):
                return answer({"detail": "no such app"}, 404)
            return answer({"id": str(len(self.started) - 1), "status": 1, "input": wanted})
        number = int(seen.line.split("/")[2])
        return Reply(steps=self._steps(number, self.wanted[number]))

    def serve(self, wanted):
        self.wanted = [{"number": number, **each} for number, each in enumerate(wanted)]
        return [{"app": "a/b", "input": each} for each in self.wanted]

    def _steps(self, number, wanted):
        yield wanted.get("seconds", 1.0)
        end = 11 if wanted.get("fail") else 10
        yield from stream(
            {"id": str(number), "status": end, "output": wanted["number"], "error": "bad"}
        ).steps


def test_results_come_as_they_complete():
    apps = Apps()
    params = apps.serve([{"seconds": 3.0}, {"seconds": 1.0}, {"seconds": 2.0}])
    results = list(World(apps).client().tasks.run_many(params))
    assert [task["output"] for task in results] == [1, 2, 0]


@pytest.mark.parametrize("concurrency", [1, 4, 7])
def test_only_so_many_tasks_are_under_way(concurrency):
    apps = Apps()
    world = World(apps)
    params = apps.serve([{} for _ in range(20)])
    results = list(world.client().tasks.run_many(params, concurrency=concurrency))
    assert sorted(task["output"] for task in results) == [*range(20)]
    assert world.now == math.ceil(20 / concurrency)  # each takes a second


def test_an_endless_iterable_is_taken_only_as_places_become_free():
    apps = Apps()
    taken = []
    wanted = apps.serve([{} for _ in range(100)])

    def params():
        for number in itertools.count():
            taken.append(number)
            yield wanted[number]

    world = World(apps)
    results = world.client().tasks.run_many(params(), concurrency=3)
    assert [next(results)["output"] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(taken) <= 5 + 3
    results.close()
    assert world.open_streams == 0


def test_the_first_failure_is_raised_and_says_which_it_was():
    apps = Apps()
    world = World(apps)
    params = apps.serve([{"seconds": 9.0}, {"seconds": 1.0, "fail": True}, {"seconds": 9.0}])
    with pytest.raises(TaskFailedError, match="bad") as caught:
        list(world.client().tasks.run_many(params))
    assert caught.value.index == 1
    assert world.now == 1.0
    assert world.open_streams == 0


def test_failures_are_given_as_values_on_request():
    apps = Apps()
    params = apps.serve([{"fail": True}, {}, {"refuse": True}, {"seconds": 60.0}])
    results = list(World(apps).client().tasks.run_many(params, return_exceptions=True, timeout=30))
    kinds = {getattr(each, "index", None) if isinstance(each, Exception) else "ok": each for each in results}
    assert type(kinds[0]) is TaskFailedError
    assert type(kinds[2]) is APIError
    assert type(kinds[3]) is TaskTimeoutError
    assert kinds["ok"]["output"] == 1
    assert len(results) == 4


def test_bad_parameters_among_good_ones_are_failures_of_their_own():
    apps = Apps()
    params = [*apps.serve([{}]), {"app": "a/b", "input": object()}, 7]
    results = list(World(apps).client().tasks.run_many(params, return_exceptions=True))
    assert sum(isinstance(each, Exception) for each in results) == 2


def test_an_iterable_that_fails_ends_the_run_with_its_error():
    def params():
        yield {"app": "a/b", "input": {"number": 0}}
        raise LookupError("no more rows")

    apps = Apps()
    apps.serve([{}])
    world = World(apps)
    with pytest.raises(LookupError, match="no more rows"):
        list(world.client().tasks.run_many(params()))
    assert world.open_streams == 0


@pytest.mark.parametrize("params", [{"app": "a/b"}, "app", b"app", 5, None])
def test_one_mapping_or_text_is_not_many_tasks(params):
    with pytest.raises(TypeError, match=rf"run_many takes an iterable of parameters, .* not .*{params!r:.5}"):
        list(World([]).client().tasks.run_many(params))


@pytest.mark.parametrize("concurrency", [0, -1, "5", 2.5, None])
def test_less_than_one_at_a_time_is_refused(concurrency):
    with pytest.raises(ValueError, match=f"concurrency must be .* at least 1, not {concurrency!r}"):
        list(World([]).client().tasks.run_many([], concurrency=concurrency))


def test_nothing_to_run_is_nothing_to_give():
    assert list(World([]).client().tasks.run_many([])) == []


def test_a_thousand_tasks_with_trouble_all_complete_once():
    apps = Apps()
    params = apps.serve([{} for _ in range(1000)])
    count = itertools.count()

    def troubled(seen):
        if next(count) % 5 == 0 and seen.line.endswith("/stream"):
            return cut()
        return apps(seen) if seen.line.endswith(("/stream", "/run")) else answer({"id": "x", "status": 7})

    world = World(troubled)
    results = list(world.client().tasks.run_many(params, concurrency=64))
    assert sorted(task["output"] for task in results) == [*range(1000)]
    assert len(apps.started) == 1000
