"""Followers of a task: everything in order, unless they are slow; never more than their share of memory."""

import asyncio

from inferencesh_engine.domain.encoded import Encoded
from inferencesh_engine.domain.task import TaskSpec, TaskState, TaskStatus
from inferencesh_engine.domain.views import SpecView, TaskEvent
from inferencesh_engine.events import EventBus

VIEW = SpecView(TaskSpec(id="t1", created_at=1.0, app="a", app_id="a1", app_version_id="v1"))


def event(seq, size=10):
    output = Encoded.of("x" * size)
    return TaskEvent(VIEW, TaskState(seq=seq, status=TaskStatus.RUNNING, updated_at=1.0, output=output))


async def drained(follower):
    follower.close()
    seen = []
    while (one := await follower.next()) is not None:
        seen.append(one.seq)
    return seen


def test_a_follower_gets_what_comes_in_order():
    async def scenario():
        bus = EventBus(max_backlog=10_000)
        with bus.following("t1") as follower:
            for seq in range(1, 6):
                bus.publish("t1", event(seq))
            bus.publish("t2", event(99))
            return await drained(follower)

    assert asyncio.run(scenario()) == [1, 2, 3, 4, 5]


def test_a_slow_follower_skips_to_the_newest_state():
    async def scenario():
        bus = EventBus(max_backlog=100)
        with bus.following("t1") as follower:
            for seq in range(1, 1001):
                bus.publish("t1", event(seq, size=40))
            return await drained(follower)

    seen = asyncio.run(scenario())
    assert seen[-1] == 1000
    assert len(seen) <= 2


def test_one_event_larger_than_the_backlog_still_arrives():
    async def scenario():
        bus = EventBus(max_backlog=100)
        with bus.following("t1") as follower:
            bus.publish("t1", event(1, size=5000))
            return await drained(follower)

    assert asyncio.run(scenario()) == [1]


def test_a_task_is_followed_as_long_as_somebody_follows():
    async def scenario():
        bus = EventBus(max_backlog=100)
        with bus.following("t1"), bus.following("t1"):
            assert bus.is_followed("t1")
        return bus.is_followed("t1")

    assert asyncio.run(scenario()) is False


def test_a_stopping_engine_ends_all_following():
    async def scenario():
        bus = EventBus(max_backlog=100)
        with bus.following("t1") as early:
            waiting = asyncio.ensure_future(early.next())
            await asyncio.sleep(0)
            bus.close()
            with bus.following("t1") as late:
                return await waiting, await late.next()

    assert asyncio.run(scenario()) == (None, None)
