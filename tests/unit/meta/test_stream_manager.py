"""`inferencesh.client.StreamManager`: what goes to which callback, and when it connects anew."""

import logging
import threading

import pytest

from inferencesh.client import StreamManager, TaskCallback


class Source:
    """Gives messages, raises those that are exceptions, and notes that it was closed."""

    def __init__(self, messages, log):
        self.messages = messages
        self.log = log

    def __iter__(self):
        for message in self.messages:
            if isinstance(message, Exception):
                raise message
            yield message

    def close(self):
        self.log.append("close")


class World:
    """One manager over the given sources; when they run out, it stops."""

    def __init__(self, *sources, partial=True, **options):
        self.log = []
        self.sources = list(sources)
        if partial:
            options["on_partial_data"] = lambda data, fields: self.log.append(("partial", data, fields))
        options.setdefault("on_error", lambda error: self.log.append(("error", str(error))))
        options.setdefault("on_data", lambda data: self.log.append(("data", data)))
        self.manager = StreamManager(
            create_event_source=self.create,
            on_start=lambda: self.log.append("start"),
            on_stop=lambda: self.log.append("stop"),
            reconnect_delay_ms=0,
            **options,
        )
        self.manager.connect()

    def create(self):
        if not self.sources:
            self.manager.stop()
            return []
        source = self.sources.pop(0)
        if isinstance(source, Exception):
            raise source
        return Source(source, self.log)


def test_a_message_with_data_and_fields_is_partial_and_any_other_is_whole():
    messages = [
        {"data": {"a": 1}, "fields": ["a"]},
        {"data": 2},
        {"fields": ["a"]},
        {"data": 3, "fields": None},
    ]
    assert World(messages, auto_reconnect=False).log == [
        "start",
        ("partial", {"a": 1}, ["a"]),
        ("data", {"data": 2}),
        ("data", {"fields": ["a"]}),
        ("data", {"data": 3, "fields": None}),
        "close",
    ]


def test_without_a_callback_for_parts_their_data_is_data():
    world = World([{"data": {"a": 1}, "fields": []}], partial=False, auto_reconnect=False)
    assert ("data", {"a": 1}) in world.log


def test_a_source_that_ended_is_connected_anew_until_stopped():
    assert World([1], [], [2]).log == [
        *["start", ("data", 1), "close"],
        *["start", "close"],
        *["start", ("data", 2), "close"],
        *["start", "stop"],
    ]


def test_failures_in_a_row_are_counted_and_a_message_starts_the_count_anew():
    failure = ConnectionError("cut")
    world = World(failure, [failure], [1, failure], failure, failure, [2], max_reconnects=2)
    assert world.log.count(("error", "cut")) == 5
    assert ("data", 2) not in world.log


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_so_many_reconnects_follow_a_failure(allowed):
    world = World(*[OSError("down")] * 9, max_reconnects=allowed)
    assert world.log.count("start") == allowed + 1


def test_without_auto_reconnect_a_stream_that_began_is_not_taken_up_again():
    assert World([1, OSError("cut")], [2], auto_reconnect=False).log.count("start") == 1


def test_the_failure_of_a_callback_is_an_error_and_closes_the_source():
    def refuse(_data):
        raise KeyError("mine")

    world = World([1], on_data=refuse, max_reconnects=0)
    assert world.log == ["start", "close", ("error", "'mine'")]


def test_a_failure_nobody_listens_for_is_logged(caplog):
    with caplog.at_level(logging.WARNING, "inferencesh"):
        World(OSError("no such host"), on_error=None, max_reconnects=0)
    assert "no such host" in caplog.text


def test_stopping_ends_a_pause_at_once():
    failed = threading.Event()

    def create():
        raise OSError("down")

    manager = StreamManager(
        create_event_source=create, reconnect_delay_ms=3_600_000, on_error=lambda _error: failed.set()
    )
    thread = threading.Thread(target=manager.connect)
    thread.start()
    assert failed.wait(10)
    manager.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_stopping_from_a_callback_skips_the_rest():
    seen = []

    def take(data):
        seen.append(data)
        manager.stop()

    manager = StreamManager(create_event_source=lambda: [1, 2, 3], on_data=take)
    manager.connect()
    manager.connect()
    assert seen == [1, 1]


def test_an_object_with_the_three_methods_is_a_task_callback():
    class Mine:
        def on_update(self, data): ...
        def on_error(self, error): ...
        def on_complete(self, task): ...

    assert isinstance(Mine(), TaskCallback)
    assert not isinstance(object(), TaskCallback)
