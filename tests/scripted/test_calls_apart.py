"""Functions called apart from their flow, by the drivers themselves and by their scripted worlds."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from contextvars import ContextVar

import pytest

from inferencesh_async.driver import AsyncioDriver
from inferencesh_async.testing import AsyncWorld
from inferencesh_core.flow.driver import SyncDriver
from inferencesh_core.flow.effects import CallTimeoutError, call_apart, fork, gather, join, now
from inferencesh_core.testing.world import World

PATIENCE = 10.0


def on_threads(flow):
    return SyncDriver(None).run(flow)


def on_a_loop(flow):
    return asyncio.run(AsyncioDriver(None).run(flow))


def in_a_world(flow):
    return World([]).run(flow)


def in_an_asynchronous_world(flow):
    with AsyncWorld([]) as world:
        return world.run(AsyncioDriver(None).run(flow))


DRIVERS = [on_threads, on_a_loop]
WORLDS = [in_a_world, in_an_asynchronous_world]


@pytest.fixture(params=DRIVERS + WORLDS)
def run(request):
    return request.param


@pytest.fixture(params=DRIVERS)
def really_run(request):
    return request.param


def test_what_a_function_gives_is_the_result_awaited_if_need_be(run):
    async def later(a, b):
        await asyncio.sleep(0)
        return a + b

    assert run(call_apart(lambda a, b: a + b, 1, 2)) == 3
    assert run(call_apart(later, 1, 2)) == 3
    assert run(call_apart(lambda a: later(a, 2), 1)) == 3


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_function_raises_is_raised_in_the_flow(run, asynchronous):
    def fail():
        raise LookupError("gone")

    async def fail_later():
        raise LookupError("gone")

    def flow():
        try:
            yield from call_apart(fail_later if asynchronous else fail)
        except LookupError as error:
            return f"caught {error}"

    assert run(flow()) == "caught gone"


def test_a_function_that_runs_out_of_an_iterator_does_not_end_the_flow(run):
    def flow():
        try:
            yield from call_apart(lambda: next(iter([])))
        except RuntimeError as error:
            return str(error)

    assert run(flow()) == "it raised StopIteration"


def test_a_coroutine_that_was_cancelled_from_elsewhere_is_an_error(run):
    async def cancelled():
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="its coroutine was cancelled"):
        run(call_apart(cancelled))


def test_context_variables_are_the_callers(run):
    colour = ContextVar("colour", default="none")
    colour.set("red")

    async def later():
        return colour.get()

    assert run(call_apart(colour.get)) == "red"
    assert run(call_apart(later)) == "red"


def test_an_interrupt_passes_through_the_flow(run):
    def interrupted():
        raise KeyboardInterrupt

    seen = []

    def flow():
        try:
            yield from call_apart(interrupted)
        except BaseException as error:
            seen.append(type(error))
            raise

    with pytest.raises(KeyboardInterrupt):
        run(flow())
    assert KeyboardInterrupt not in seen


def test_an_interrupt_in_one_of_several_ends_the_caller():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_threads(gather([call_apart(interrupted), call_apart(str)], limit=2))


def test_several_really_run_at_once(really_run):
    barrier = threading.Barrier(3, timeout=PATIENCE)
    assert sorted(really_run(gather([call_apart(barrier.wait) for _ in range(3)], limit=3))) == [0, 1, 2]


def test_a_function_that_hangs_is_left_behind(really_run):
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(CallTimeoutError, match=r"it had not ended after 0\.05 seconds"):
        really_run(call_apart(never.wait, PATIENCE, timeout=0.05))
    never.set()
    assert time.monotonic() - began < PATIENCE / 2


def test_a_coroutine_that_takes_too_long_is_cancelled(really_run):
    ended = threading.Event()

    async def forever():
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            ended.set()

    with pytest.raises(CallTimeoutError):
        really_run(call_apart(forever, timeout=0.05))
    assert ended.wait(PATIENCE / 2)


def test_a_coroutine_that_will_not_be_cancelled_is_left_behind():
    left = []

    async def stubborn():
        left.append(asyncio.current_task())
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1_000)

    with AsyncWorld([]) as world:
        with pytest.raises(CallTimeoutError):
            world.run(AsyncioDriver(None).run(call_apart(stubborn, timeout=10)))
        assert world.now == 11
        left[0].cancel()
        world.run(asyncio.sleep(0))


@pytest.mark.parametrize("in_world", WORLDS)
def test_in_a_scripted_world_a_time_out_takes_its_seconds(in_world):
    never = threading.Event()

    def flow():
        start = yield from now()
        try:
            yield from call_apart(never.wait, PATIENCE, timeout=300)
        except CallTimeoutError:
            return (yield from now()) - start

    assert in_world(flow()) == 300
    never.set()


def test_in_a_scripted_world_a_function_that_hangs_for_ever_is_noticed():
    never = threading.Event()
    with pytest.raises(AssertionError, match="stands still"):
        World([]).run(call_apart(never.wait, PATIENCE))
    never.set()


def test_cancelling_the_caller_cancels_the_coroutine_and_waits_for_it():
    async def main():
        began, ended = asyncio.Event(), []

        async def forever():
            began.set()
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        running = asyncio.create_task(AsyncioDriver(None).run(call_apart(forever)))
        await began.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return ended

    assert asyncio.run(main()) == [True]


def test_a_flow_that_ends_leaves_the_calls_of_its_group_behind():
    ended = threading.Event()
    began = threading.Event()

    async def forever():
        began.set()
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            ended.set()

    def flow():
        group = yield from fork([call_apart(began.wait, PATIENCE), call_apart(forever)], 2)
        yield from join(group)

    on_threads(flow())
    assert ended.wait(PATIENCE / 2)


@pytest.mark.parametrize("run", ["SyncDriver(None).run(flow)", "asyncio.run(AsyncioDriver(None).run(flow))"])
def test_a_function_that_never_returns_does_not_keep_the_program(run):
    program = f"""
        import asyncio, threading
        from inferencesh_async.driver import AsyncioDriver
        from inferencesh_core.flow.driver import SyncDriver
        from inferencesh_core.flow.effects import call_apart
        flow = call_apart(threading.Event().wait, timeout=0.05)
        try:
            {run}
        except TimeoutError as error:
            print(error)
    """
    arguments = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr) == ("it had not ended after 0.05 seconds\n", "")
