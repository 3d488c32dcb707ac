"""The scripted world itself, as its users rely on it."""

import pytest

from inferencesh_core.errors import ReadTimeoutError, TransportError
from inferencesh_core.flow.effects import close_stream, emit, fork, join, now, open_stream, read, send, sleep
from inferencesh_core.http.messages import Request
from inferencesh_core.testing.replies import Reply, answer, cut, silence, stream
from inferencesh_core.testing.world import World

GET = Request("GET", "https://a.test/x?y=1", {"A": "b"}, read_timeout=5.0)


def test_answers_in_requests_out_and_a_clock_that_jumps():
    world = World([cut(), answer({"id": "t1", "status": 10})])
    assert world.client().tasks.get("t1")["status"] == 10
    assert [seen.line for seen in world.seen] == ["GET /tasks/t1", "GET /tasks/t1"]
    assert world.now == 0.25


def test_a_script_at_its_end_names_the_request_too_many():
    with pytest.raises(AssertionError, match="yet there comes GET /x"):
        World([]).run(send(GET))


def test_waiting_for_what_never_comes_is_noticed():
    def flow():
        opened = yield from open_stream(GET)
        yield from read(opened, None)

    with pytest.raises(AssertionError, match="stands still"):
        World([stream(float("inf"))]).run(flow())


def test_a_whole_answer_takes_the_time_of_its_parts_and_no_longer_than_asked():
    world = World([Reply(steps=[b"a", 2.0, b"b", 1.0], after=1.0), Reply(steps=[6.0, b"c"]), silence()])
    assert world.run(send(GET)).body == b"ab"
    assert world.now == 4.0
    for end in (9.0, 14.0):
        with pytest.raises(ReadTimeoutError):
            world.run(send(GET))
        assert world.now == end


def test_a_stream_gives_its_steps_one_by_one_and_is_of_no_use_after_an_error():
    def flow(results):
        opened = yield from open_stream(GET)
        results.append((yield from read(opened, 5)))
        results.append((yield from failure_of(opened)))
        results.append((yield from failure_of(opened)))
        yield from close_stream(opened)

    def failure_of(opened):
        try:
            yield from read(opened, 5)
        except TransportError as error:
            return type(error), (yield from now())

    world = World([stream(b"a", 2.0, 9.0, b"b")])
    results = []
    world.run(flow(results))
    assert results == [b"a", (ReadTimeoutError, 5.0), (TransportError, 5.0)]
    assert world.open_streams == 0


def test_flows_side_by_side_share_the_clock():
    def flow(seconds):
        yield from sleep(seconds)
        return (yield from now())

    world = World([])
    assert [outcome.value for outcome in world.run_all(flow(seconds) for seconds in (3, 1, 2))] == [3, 1, 2]
    assert world.now == 3


def test_a_group_starts_flows_as_others_are_joined_and_is_dropped_with_its_flow():
    ended = []

    def child(number):
        try:
            yield from sleep(1)
        finally:
            ended.append(number)

    def parent():
        group = yield from fork((child(number) for number in range(10)), 3)
        yield from join(group)
        yield from join(group)

    world = World([])
    world.run(parent())
    assert world.now == 1
    assert sorted(ended) == [0, 1, 2, 3]


def test_two_iterations_in_turn_keep_their_own_values():
    def feed(name):
        for number in range(3):
            yield from sleep(1)
            yield from emit(f"{name}{number}")

    world = World([])
    first, second = world.iterate(feed("a")), world.iterate(feed("b"))
    assert [value for pair in zip(first, second, strict=True) for value in pair] == [
        *["a0", "b0", "a1", "b1"],
        *["a2", "b2"],
    ]
