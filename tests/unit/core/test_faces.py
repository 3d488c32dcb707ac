import asyncio
import inspect

import pytest

from inferencesh_core.flow.driver import SyncDriver
from inferencesh_core.flow.effects import call, emit, emit_all, fork, gather, join, now, result_of, sleep
from inferencesh_core.flow.faces import Async, Face, Sync, iteration, operation
from inferencesh_core.tasks import AsyncTasksAPI, TasksAPI
from inferencesh_core.testing.world import World


class Sums:
    """A subject for these tests."""

    def __init__(self, context):
        self.start = context

    def add(self, number: int, *, twice: bool = False) -> "Flow[int]":  # noqa: F821
        """Give the sum."""
        yield from sleep(1)
        return self.start + number * (2 if twice else 1)

    def count(self, end: int) -> "Feed[int, str]":  # noqa: F821
        """Count up to the end."""
        for number in range(self.start, end):
            yield from emit(number)
        return "done"


class _SumsFace(Face[Sums]):
    subject_type = Sums

    add = operation(Sums.add)
    count = iteration(Sums.count)


class SumsAPI(Sync, _SumsFace):
    pass


class AsyncSumsAPI(Async, _SumsFace):
    pass


class Client:
    def __init__(self, driver, context=10):
        self.driver = driver
        self.context = context


class AsyncWorld:
    """A world whose driver is awaited."""

    def __init__(self):
        self.world = World([])

    async def run(self, flow):
        return self.world.run(flow)

    async def iterate(self, feed):
        for value in self.world.iterate(feed):
            yield value


def test_an_operation_blocks_on_a_synchronous_face():
    world = World([])
    assert SumsAPI(Client(world)).add(5, twice=True) == 20
    assert world.now == 1


def test_an_operation_is_a_coroutine_on_an_asynchronous_face():
    face = AsyncSumsAPI(Client(AsyncWorld()))
    assert inspect.iscoroutinefunction(face.add)
    assert not inspect.iscoroutinefunction(SumsAPI.add)
    assert asyncio.run(face.add(5)) == 15


def test_an_iteration_gives_an_iterator_in_each_world():
    assert list(SumsAPI(Client(World([]))).count(13)) == [10, 11, 12]

    async def collected():
        return [number async for number in AsyncSumsAPI(Client(AsyncWorld())).count(13)]

    assert asyncio.run(collected()) == [10, 11, 12]


@pytest.mark.parametrize("face", [SumsAPI, AsyncSumsAPI])
def test_a_method_has_the_documentation_name_and_signature_of_its_flow(face):
    assert face.add.__doc__ == "Give the sum."
    assert face.add.__name__ == "add"
    assert str(inspect.signature(face.add)) == "(self, number: int, *, twice: bool = False) -> 'int'"
    assert [*inspect.signature(face(Client(None)).add).parameters] == ["number", "twice"]


def test_an_iterations_signature_says_which_iterator_it_gives():
    assert inspect.signature(SumsAPI.count).return_annotation == "Iterator[int]"
    assert inspect.signature(AsyncSumsAPI.count).return_annotation == "AsyncIterator[int]"


@pytest.mark.parametrize("face", [TasksAPI, AsyncTasksAPI])
def test_every_public_verb_of_tasks_is_documented(face):
    verbs = [name for name in dir(face) if not name.startswith("_") and callable(getattr(face, name))]
    assert len(verbs) >= 9
    assert all(getattr(face, name).__doc__ for name in verbs)


DRIVERS = [SyncDriver(transport=None), World([])]


@pytest.mark.parametrize("driver", DRIVERS, ids=["threads", "world"])
class TestDrivers:
    """What every driver does alike."""

    def test_a_feed_that_is_run_is_a_mistake_that_says_so(self, driver):
        def feed():
            yield from emit(1)

        with pytest.raises(TypeError, match="iterate it instead"):
            driver.run(feed())

    def test_values_emitted_together_are_taken_one_by_one_before_the_feed_goes_on(self, driver):
        taken, seen = [], []

        def feed():
            yield from emit_all([])
            yield from emit_all([1, 2, 3])
            seen.extend(taken)
            yield from emit(4)

        for value in driver.iterate(feed()):
            taken.append(value)  # noqa: PERF402 - the feed looks at it meanwhile
        assert (taken, seen) == ([1, 2, 3, 4], [1, 2, 3])

    def test_the_result_of_a_feed_is_what_it_returns(self, driver):
        def flow():
            return (yield from result_of(Sums(0).count(3)))

        assert driver.run(flow()) == "done"

    def test_a_callback_may_be_sync_or_async_and_its_error_is_raised_where_it_is_called(self, driver):
        async def double(number):
            await asyncio.sleep(0)
            return number * 2

        def fail():
            raise LookupError("mine")

        def flow():
            try:
                yield from call(fail)
            except LookupError as error:
                return (yield from call(double, 4)), (yield from call(max, 1, 2)), str(error)

        assert driver.run(flow()) == (8, 2, "mine")

    def test_flows_side_by_side_give_their_results_in_order(self, driver):
        def flow(number):
            yield from sleep(0.01 * (3 - number))
            return number

        assert driver.run(gather((flow(number) for number in range(4)), 2)) == [0, 1, 2, 3]

    def test_a_failing_flow_among_others_fails_the_gathering(self, driver):
        def flow(number):
            yield from now()
            if number == 2:
                raise LookupError("two")
            yield from sleep(0.01)

        with pytest.raises(LookupError, match="two"):
            driver.run(gather((flow(number) for number in range(4)), 4))

    def test_outcomes_are_joined_as_they_come_with_their_index(self, driver):
        def flow(number):
            yield from sleep(0.05 if number == 0 else 0)
            if number == 1:
                raise LookupError("one")
            return number

        def both():
            group = yield from fork((flow(number) for number in range(2)), 2)
            first = yield from join(group)
            second = yield from join(group)
            return first, second, (yield from join(group))

        first, second, none = driver.run(both())
        assert (first.index, str(first.error)) == (1, "one")
        assert (second.index, second.value) == (0, 0)
        assert none is None

    def test_closing_an_iteration_closes_its_feed(self, driver):
        ended = []

        def feed():
            try:
                yield from emit(1)
            finally:
                ended.append(True)

        values = driver.iterate(feed())
        assert next(values) == 1
        values.close()
        assert ended == [True]


def test_an_async_callback_works_on_a_thread_whose_loop_is_running():
    async def double(number):
        await asyncio.sleep(0)
        return number * 2

    async def main():
        return SyncDriver(transport=None).run(call(double, 4))

    assert asyncio.run(main()) == 8


def test_an_interrupt_never_enters_a_flow():
    entered = []

    def interrupt():
        raise KeyboardInterrupt

    def flow():
        try:
            yield from call(interrupt)
        except BaseException as error:
            entered.append(type(error))
            raise

    with pytest.raises(KeyboardInterrupt):
        SyncDriver(transport=None).run(flow())
    assert KeyboardInterrupt not in entered
