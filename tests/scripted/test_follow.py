"""Following a task through every kind of trouble; the server is a model, time is virtual."""

import json
import logging
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferencesh_core.errors import (
    APIError,
    ConnectError,
    StreamError,
    TaskCancelledError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
    TransportError,
)
from inferencesh_core.statuses import parse_status
from inferencesh_core.testing.replies import Reply, answer, cut, refused, silence, stream
from inferencesh_core.testing.world import World

ID = "2khet8d1p6z26krbtvn9d7rkth"
FINAL = {10: "completed", 11: "failed", 12: "cancelled"}
FORMS = ("bare", "wrapped", "typed", "partial", "string status")
NOISE = ("heartbeat", "delta", "garbage", "blank", "repeat", "old", "foreign", "pause")
ENDS = ("eof", "reset", "half a line", "silence", "garbage then eof")
REFUSALS = (401, 404, 429, 500, 503)
GET_FAULTS = ("reset", "refused", "silence", 429, 500, 503)


@pytest.fixture(autouse=True)
def _alone(caplog, monkeypatch):
    """No log of the garbage sent here, no search for installed plugins with each of thousands of clients."""
    caplog.set_level(logging.CRITICAL, "inferencesh")
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def history(length, final=10):
    """The states of one task, from received to its end."""
    states = [
        {
            "id": ID,
            "status": 7 if number else 1,
            "output": {"response": "é\u2028" * number},
            "error": None,
            "progress": number,
        }
        for number in range(length)
    ]
    end = {"status": final, "progress": length, "error": "it broke" if final == 11 else None}
    return [*states, {**(states[-1] if states else {"id": ID, "output": None}), **end}]


@dataclass
class Connection:
    """What one connection brings before it ends."""

    steps: list
    end: str | int = "eof"
    line_end: bytes = b"\n"
    mark: bytes = b""
    chunk: int = 1 << 20


@dataclass
class TaskServer:
    """One task, going through its states as they are told; GET shows the latest."""

    states: list
    connections: list = field(default_factory=list)
    get_faults: list = field(default_factory=list)
    numbered: bool = True
    place: int = 0
    told_end_by_get: bool = False

    def __call__(self, seen):
        if seen.line.endswith("/stream"):
            return self._stream(seen)
        return self._get()

    def _get(self):
        fault = self.get_faults.pop(0) if self.get_faults else None
        if fault is not None:
            return self._fault(fault)
        state = self.states[self.place]
        self.told_end_by_get |= state["status"] in FINAL
        return answer(state)

    def _fault(self, fault):
        named = {"reset": cut, "refused": refused, "silence": silence}
        return named[fault]() if fault in named else answer({"detail": "not now"}, fault)

    def _stream(self, seen):
        connection = self.connections.pop(0) if self.connections else Connection(["bare"] * len(self.states))
        if isinstance(connection.end, int):
            return answer({"detail": "no stream"}, connection.end)
        after = seen.headers.get("Last-Event-ID")
        return Reply(steps=self._chunks(connection, int(after) if after is not None else None))

    def _chunks(self, connection, after):
        mark = connection.mark
        for piece in self._lines(connection, after):
            if not isinstance(piece, bytes):
                yield piece
                continue
            line = mark + piece.replace(b"\n", connection.line_end)
            mark = b""
            for at in range(0, len(line), connection.chunk):
                yield line[at : at + connection.chunk]
        yield from self._ending(connection.end)

    def _ending(self, end):
        if end == "reset":
            yield TransportError("reset by peer")
        elif end == "half a line":
            yield self._line(self.place, "bare")[:-5]
        elif end == "silence":
            yield from (1e9,)
        elif end == "garbage then eof":
            yield b'<html>\x00\xff{"id": \n'

    def _lines(self, connection, after):
        known = self.place if after is None or not self.numbered else after - 1
        if after is None or not self.numbered:
            yield self._line(self.place, "bare")
        for step in connection.steps:
            if step in NOISE:
                yield self._noise(step, max(known, 0))
            elif known < len(self.states) - 1:
                known += 1
                self.place = max(self.place, known)
                yield self._line(known, step if known else "bare")

    def _noise(self, kind, known):
        if kind == "pause":
            return 20.0
        if kind == "old" and not self.numbered:
            kind = "repeat"  # without numbers nobody could tell
        return {
            "heartbeat": b'{"type": "heartbeat"}\n',
            "delta": b'{"event": "delta", "data": {"delta": {"response": "x"}, "seq": 999}}\n',
            "garbage": b'{"status": \xff nonsense\n',
            "blank": b"\n",
            "foreign": b'{"status": 500, "title": "oops"}\n[1]\nnull\n{"event": "error", "data": {"m": 1}}\n',
            "repeat": self._line(known, "wrapped"),
            "old": self._line(max(0, known - 2), "bare"),
        }[kind]

    def _line(self, place, form):
        state = self.states[place]
        seq = {"seq": place + 1} if self.numbered else {}
        if form == "wrapped":
            line = {"data": state, **seq}
        elif form == "typed":
            line = {"event": "update", "data": state, **seq}
        elif form == "partial" and place:
            before = self.states[place - 1]
            changed = [name for name in state if state[name] != before[name]]
            line = {"data": {name: state[name] for name in changed}, "fields": changed, **seq}
        elif form == "string status" and state["status"] in FINAL:
            line = {**state, "status": FINAL[state["status"]].upper(), **seq}
        else:
            line = {**state, **seq}
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def place_of(update):
    return update["progress"]


def plain(update):
    """An update without its number, its status as a number."""
    status = parse_status(update["status"]).value
    return {name: value for name, value in {**update, "status": status}.items() if name != "seq"}


def followed(server, **options):
    """What a user sees: the updates, and how it ended."""
    world = World(server)
    seen = []
    following = world.client().tasks.stream(ID, **options)
    try:
        for update in following:
            assert world.open_streams <= 1
            seen.append(update)
    except TaskError as error:
        outcome = error
    else:
        outcome = None
    assert world.open_streams == 0
    return world, seen, following, outcome


STEPS = st.lists(st.sampled_from(FORMS) | st.sampled_from(NOISE), max_size=6)
CONNECTIONS = st.lists(
    st.builds(
        Connection,
        STEPS,
        st.sampled_from(ENDS) | st.sampled_from(REFUSALS),
        st.sampled_from([b"\n", b"\r\n"]),
        st.sampled_from([b"", b"\xef\xbb\xbf"]),
        st.sampled_from([5, 1 << 20]),
    ),
    max_size=8,
)
TROUBLE = {
    "length": st.integers(0, 6),
    "final": st.sampled_from(sorted(FINAL)),
    "connections": CONNECTIONS,
    "get_faults": st.lists(st.sampled_from(GET_FAULTS), max_size=8),
    "numbered": st.booleans(),
}


@settings(max_examples=250, deadline=None)
@given(**TROUBLE)
def test_whatever_happens_the_result_is_right_and_every_update_is_a_whole_task_in_order(
    length, final, connections, get_faults, numbered
):
    server = TaskServer(history(length, final), connections, get_faults, numbered)
    _, updates, following, outcome = followed(server)
    assert [plain(update) for update in updates] == [server.states[place_of(update)] for update in updates]
    places = [place_of(update) for update in updates]
    assert places == sorted(set(places))
    assert places[-1] == len(server.states) - 1
    if numbered and not server.told_end_by_get:
        assert places == [*range(places[0], len(server.states))]
    assert plain(following.task) == server.states[-1]
    if final == 10:
        assert outcome is None
        assert plain(following.result) == server.states[-1]
    else:
        assert type(outcome) is {11: TaskFailedError, 12: TaskCancelledError}[final]
        assert plain(outcome.task) == server.states[-1]
        assert following.result is None
        assert following.error is outcome


@settings(max_examples=150, deadline=None)
@given(timeout=st.floats(0.01, 200), **TROUBLE)
def test_a_deadline_is_kept_under_any_trouble(timeout, length, final, connections, get_faults, numbered):
    server = TaskServer(history(length, final), connections, get_faults, numbered)
    world, _, _, outcome = followed(server, timeout=timeout)
    assert world.now <= timeout + 0.25
    if isinstance(outcome, TaskTimeoutError):
        assert world.now >= timeout - 1e-9  # clocks add and subtract
        assert outcome.task_id == ID


def random_troubles(seed):
    """A task whose connection is cut 1 to 20 times."""
    luck = random.Random(seed)
    connections = [
        Connection(
            luck.choices(FORMS + NOISE, k=luck.randint(0, 1)),
            luck.choice(ENDS),
            chunk=luck.choice([50, 1 << 20]),
        )
        for _ in range(luck.randint(1, 20))
    ]
    return TaskServer(history(22), connections, numbered=luck.random() < 0.5)


def test_a_thousand_tasks_with_one_to_twenty_cuts_each_all_come_out_right():
    right = 0
    for seed in range(1000):
        server = random_troubles(seed)
        task = World(server).client().tasks.wait_for_completion(ID)
        assert not server.connections
        right += plain(task) == server.states[-1]
    assert right == 1000


def test_with_numbered_events_a_stream_from_the_start_misses_and_repeats_nothing():
    states = history(12)
    cuts = [Connection(["partial", "old", "repeat"], "reset") for _ in range(13)]
    server = TaskServer(states, cuts)
    run = answer({"id": ID, "status": 1})
    world = World(lambda seen: run if seen.line == "POST /apps/run" else server(seen))
    updates = list(world.client().tasks.run({"app": "a/b"}, stream=True))
    assert [plain(update) for update in updates] == states


def test_a_stream_that_brings_only_old_numbers_is_checked_by_asking():
    first = Connection(["bare"] * 3, "eof")
    world = World(
        [
            Reply(steps=TaskServer(history(5))._chunks(first, None)),
            stream({"id": ID, "status": 10, "seq": 2}),
            answer({"id": ID, "status": 10, "output": "right"}),
        ]
    )
    assert world.client().tasks.wait_for_completion(ID)["output"] == "right"


def test_changed_fields_of_an_unknown_task_are_completed_by_asking():
    whole = {"id": ID, "status": 7, "output": None, "input": 1}
    world = World(
        [
            stream(
                {"data": {"status": 7}, "fields": ["status"], "seq": 3},
                {"data": {"status": 10, "output": 2}, "fields": ["status", "output"], "seq": 4},
            ),
            answer(whole),
        ]
    )
    updates = list(world.client().tasks.stream(ID))
    assert [plain(update) for update in updates] == [whole, {**whole, "status": 10, "output": 2}]


def test_an_unchanged_task_is_not_emitted_again_whole_or_in_parts():
    running = {"id": ID, "status": 7, "output": None}
    world = World(
        [
            stream(
                *[running, running, {"data": {"status": 7}, "fields": ["status"]}, {"data": running}],
                {**running, "status": 10},
            )
        ]
    )
    assert [update["status"] for update in world.client().tasks.stream(ID)] == [7, 10]


@pytest.mark.parametrize("seq", ["7", True, None, [1], 1.5])
def test_a_number_that_is_none_is_passed_over(seq):
    world = World([stream({"id": ID, "status": 7, "seq": 5}, {"id": ID, "status": 10, "seq": seq})])
    assert world.client().tasks.wait_for_completion(ID)["status"] == 10


def test_names_of_fields_that_are_none_are_passed_over():
    world = World(
        [stream({"id": ID, "status": 7}, {"data": {"status": 10}, "fields": [["status"], {}, 3, "status"]})]
    )
    assert world.client().tasks.wait_for_completion(ID) == {"id": ID, "status": 10}


def test_a_task_that_shows_only_heartbeats_for_an_hour_is_followed_on_one_connection():
    beats = [step for _ in range(360) for step in (10.0, b'{"type": "heartbeat"}\n')]
    world = World([stream(*beats, {"id": ID, "status": 10})])
    assert world.client().tasks.wait_for_completion(ID)["status"] == 10
    assert world.now == 3600
    assert len(world.seen) == 1


def test_progress_refills_the_budget_of_reconnects():
    states = history(60)
    server = TaskServer(states, [Connection(["bare"], "reset") for _ in range(60)], ["reset"] * 3, False)
    world, updates, _, _ = followed(server, max_reconnects=1)
    assert plain(updates[-1]) == states[-1]
    assert len(world.seen) > 60


def test_following_gives_up_only_after_so_many_failures_in_a_row():
    world = World(lambda _seen: refused())
    with pytest.raises(ConnectError) as caught:
        world.client(max_attempts=1).tasks.wait_for_completion(ID)
    assert len(caught.value.attempts) == 6
    lines = [seen.line.removeprefix(f"GET /tasks/{ID}") for seen in world.seen]
    assert lines == ["/stream", ""] * 6


def test_a_working_get_keeps_following_alive_however_often_the_stream_is_refused():
    server = TaskServer(history(1), [Connection([], 503) for _ in range(40)])
    _, updates, _, _ = followed(server)
    assert plain(updates[-1]) == server.states[-1]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_stream_and_get_is_raised_at_once(status):
    world = World(lambda _seen: answer({"detail": "no such task"}, status))
    with pytest.raises(APIError, match="no such task") as caught:
        world.client().tasks.wait_for_completion(ID)
    assert caught.value.status_code == status
    assert len(world.seen) == 2


def test_without_reconnecting_a_broken_stream_is_an_error_that_has_the_cause():
    world = World([stream({"id": ID, "status": 7}, TransportError("reset by peer"))])
    following = world.client().tasks.stream(ID, auto_reconnect=False)
    with pytest.raises(StreamError, match=ID) as caught:
        list(following)
    assert isinstance(caught.value.__cause__, TransportError)
    assert following.error is caught.value
    assert following.task == {"id": ID, "status": 7}
    assert following.result is None


def test_without_reconnecting_a_refusal_is_raised_as_it_is():
    world = World([answer({"detail": "wrong key"}, 401)])
    with pytest.raises(APIError, match="wrong key"):
        list(world.client().tasks.stream(ID, auto_reconnect=False))


def test_a_server_that_never_pauses_cannot_outlast_the_deadline():
    def chatter():
        while True:
            yield b'{"type": "heartbeat"}\n' * 10
            yield 0.0001

    world = World([Reply(steps=chatter())])
    with pytest.raises(TaskTimeoutError, match="within 1 s"):
        world.client().tasks.wait_for_completion(ID, timeout=1)
    assert world.now <= 1.25


def test_a_refusal_that_trickles_cannot_outlast_the_deadline():
    trickle = Reply(503, {}, (step for _ in range(10**6) for step in (b" ", 1.0)))
    world = World(lambda _seen: trickle)
    with pytest.raises(TaskTimeoutError):
        world.client().tasks.wait_for_completion(ID, timeout=5)
    assert world.now <= 5.25


def test_a_line_beyond_the_limit_ends_following_with_its_size():
    world = World([stream({"id": ID, "status": 7, "output": "x" * 200})])
    with pytest.raises(StreamError, match="longer than 100 bytes; raise max_line_bytes"):
        world.client(max_line_bytes=100).tasks.wait_for_completion(ID)


def test_updates_in_one_chunk_with_a_line_beyond_the_limit_are_given_first():
    good = b'{"id": "%s", "status": 7, "output": 1}\n' % ID.encode()
    world = World([stream(good + b"x" * 200)])
    updates = iter(world.client(max_line_bytes=100).tasks.stream(ID))
    assert next(updates)["output"] == 1
    with pytest.raises(StreamError, match=r"line 2 .* longer than 100 bytes"):
        next(updates)


@pytest.mark.parametrize("garbage", [b"[]", b'"text"', b"null", b""])
def test_an_answer_that_is_no_task_is_named(garbage):
    world = World([stream(), answer(garbage)])
    with pytest.raises(StreamError, match="is no task"):
        world.client().tasks.wait_for_completion(ID)


def test_closing_a_stream_early_closes_its_connection():
    world = World([stream({"id": ID, "status": 7}, 5.0, {"id": ID, "status": 10})])
    with world.client().tasks.stream(ID) as following:
        assert next(iter(following))["status"] == 7
        assert world.open_streams == 1
    assert world.open_streams == 0
    assert list(following) == []


def test_leaving_the_loop_and_coming_back_goes_on_where_it_was():
    world = World([stream(*({"id": ID, "status": status} for status in (1, 7, 9, 10)))])
    following = world.client().tasks.stream(ID)
    assert next(iter(following))["status"] == 1
    assert [update["status"] for update in following] == [7, 9, 10]
    assert following.result == {"id": ID, "status": 10}


def test_a_task_that_was_over_when_started_is_not_followed():
    world = World([answer({"id": ID, "status": 10, "output": 1})])
    assert world.client().tasks.run({"app": "a/b"})["output"] == 1
    assert [seen.line for seen in world.seen] == ["POST /apps/run"]
