"""Who gets a connection, and when; the clock jumps."""

import asyncio

import pytest

from inferencesh_async.slots import SHORT_SECONDS, Slots
from inferencesh_async.testing import JumpingLoop


def run(main):
    loop = JumpingLoop()
    try:
        return loop.run_until_complete(main), loop.time()
    finally:
        loop.close()


async def use(slots, seconds, lasting=False):
    slot = slots.take_at_once() or await slots.take("GET /", 60)
    if lasting:
        slot.lasts()
    await asyncio.sleep(seconds)
    slot.release()
    slot.release()


def test_short_exchanges_take_turns():
    async def main():
        slots = Slots(10)
        await asyncio.gather(*(use(slots, 1) for _ in range(100)))

    assert run(main())[1] == 10


def test_what_lasts_makes_room():
    async def main():
        slots = Slots(100)
        await asyncio.gather(*(use(slots, 1000, lasting=True) for _ in range(2000)))

    assert run(main())[1] == pytest.approx(1000 + 19 * SHORT_SECONDS)


def test_short_streams_are_limited_like_any_exchange():
    async def main():
        slots = Slots(10)
        await asyncio.gather(*(use(slots, 0.0625, lasting=True) for _ in range(100)))

    assert run(main())[1] == pytest.approx(0.625)


def test_waiting_ends_with_its_time_and_costs_no_slot():
    async def main():
        slots = Slots(1)
        slot = slots.take_at_once()
        with pytest.raises(asyncio.TimeoutError):
            await slots.take("GET /", 5)
        slot.release()
        assert slots.take_at_once()
        assert not slots.take_at_once()

    assert run(main())[1] == 5


@pytest.mark.parametrize("given_first", [True, False])
def test_who_is_cancelled_while_waiting_loses_no_slot(given_first):
    async def main():
        slots = Slots(1)
        slot = slots.take_at_once()
        waiting = asyncio.create_task(slots.take("GET /", 60))
        await asyncio.sleep(0)
        if given_first:
            slot.release()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        slot.release()
        assert slots.take_at_once()
        assert not slots.take_at_once()

    run(main())


def test_who_waits_longest_is_served_first():
    async def main():
        slots, order = Slots(1), []

        async def named(name):
            await use(slots, 1)
            order.append(name)

        await asyncio.gather(*map(named, "abcd"))
        return order

    assert run(main())[0] == [*"abcd"]
