import subprocess
import sys
from contextlib import contextmanager

import pytest

from inferencesh_core.streamable import (
    StreamableMessage,
    iter_ndjson,
    stream_get,
    stream_post,
    streamable,
    streamable_raw,
)

STREAM = (
    b'{"type": "heartbeat"}\n'
    b'{"a": "x\xe2\x80\xa8y"}\n'
    b"garbage\n\n"
    b'{"data": {"x": 1}, "fields": ["x"]}\n'
    b'{"event": "chats", "data": null}\n'
    b"7"
)
HEARTBEAT = {"type": "heartbeat"}
LINE_SEPARATOR = "x\u2028y"


class BytesResponse:
    """As httpx gives it."""

    status_code = 200

    def __init__(self, stream=STREAM):
        self.chunks = [stream[:40], stream[40:60], stream[60:]]

    def raise_for_status(self):
        if self.status_code >= 400:
            raise OSError(f"status {self.status_code}")

    def iter_bytes(self):
        yield from self.chunks


class ContentResponse:
    """As requests gives it."""

    def iter_content(self, chunk_size):
        for at in range(0, len(STREAM), chunk_size):
            yield STREAM[at : at + chunk_size]


class LinesResponse:
    """As old code fakes it: bytes or text, no line ends."""

    def __init__(self, kind):
        self.kind = kind

    def iter_lines(self):
        for line in STREAM.split(b"\n"):
            yield line if self.kind is bytes else line.decode()


RESPONSES = pytest.mark.parametrize(
    "response",
    [BytesResponse(), ContentResponse(), LinesResponse(bytes), LinesResponse(str)],
    ids=["iter_bytes", "iter_content", "iter_lines-bytes", "iter_lines-str"],
)


@RESPONSES
def test_streamable_gives_the_data_of_each_line(response):
    assert list(streamable(response)) == [{"a": LINE_SEPARATOR}, {"x": 1}, None, 7]


@RESPONSES
def test_streamable_raw_keeps_event_and_fields(response):
    assert list(streamable_raw(response)) == [
        StreamableMessage({"a": LINE_SEPARATOR}),
        StreamableMessage({"x": 1}, fields=["x"]),
        StreamableMessage(None, event="chats"),
        StreamableMessage(7),
    ]


@RESPONSES
def test_iter_ndjson_gives_whole_lines_and_tells_of_heartbeats(response):
    beats = []
    values = list(iter_ndjson(response, lambda: beats.append(1)))
    assert values == [
        {"a": LINE_SEPARATOR},
        {"data": {"x": 1}, "fields": ["x"]},
        {"event": "chats", "data": None},
        7,
    ]
    assert beats == [1]
    assert list(iter_ndjson(response)) == values


def test_heartbeats_are_given_when_asked_for():
    assert next(streamable(BytesResponse(), skip_heartbeats=False)) == HEARTBEAT
    assert next(streamable_raw(BytesResponse(), skip_heartbeats=False)) == StreamableMessage(HEARTBEAT)


def test_a_thing_without_lines_is_refused_by_name():
    with pytest.raises(TypeError, match="list has none of iter_bytes, iter_content and iter_lines"):
        next(streamable([b"{}"]))


class Client:
    """Answers `stream` like httpx and remembers the call."""

    def __init__(self, status_code=200):
        self.response = BytesResponse()
        self.response.status_code = status_code
        self.open = False
        self.calls = []

    @contextmanager
    def stream(self, method, url, **options):
        self.calls.append((method, url, options))
        self.open = True
        try:
            yield self.response
        finally:
            self.open = False


def test_stream_get_asks_for_ndjson_and_closes_at_the_end():
    client = Client()
    assert list(stream_get(client, "http://h/x", {"X-Y": "z"}, timeout=3)) == [
        {"a": LINE_SEPARATOR},
        {"x": 1},
        None,
        7,
    ]
    headers = {"Accept": "application/x-ndjson", "X-Y": "z"}
    assert client.calls == [("GET", "http://h/x", {"headers": headers, "timeout": 3})]
    assert not client.open


def test_stream_post_sends_the_body_and_closes_when_dropped():
    client = Client()
    lines = stream_post(client, "http://h/x", {"q": 1}, skip_heartbeats=False)
    assert next(lines) == HEARTBEAT
    assert client.open
    lines.close()
    assert not client.open
    headers = {"Accept": "application/x-ndjson"}
    assert client.calls == [("POST", "http://h/x", {"json": {"q": 1}, "headers": headers, "timeout": None})]


def test_a_failing_status_is_raised_before_a_line_is_read():
    with pytest.raises(OSError, match="status 401"):
        next(stream_get(Client(status_code=401), "http://h/x"))


def test_a_real_requests_response_is_read_to_the_end():
    import io

    import requests

    response = requests.Response()
    response.raw = io.BytesIO(STREAM)
    assert list(streamable(response)) == [{"a": LINE_SEPARATOR}, {"x": 1}, None, 7]


@pytest.mark.parametrize(
    "imports",
    [
        "from inferencesh.streamable import streamable",
        "import inferencesh.streamable; streamable = sys.modules['inferencesh.streamable'].streamable",
    ],
)
def test_the_old_module_path_gives_the_same_function(imports):
    same = "from inferencesh_core import streamable as core; assert streamable is core.streamable"
    code = f"import sys; {imports}; {same}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
