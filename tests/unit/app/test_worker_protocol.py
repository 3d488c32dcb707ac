"""The worker protocol's messages and the words for an app's failures."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_app.worker import failures, protocol

MESSAGES = [
    protocol.setup({"model": "x"}, {"worker_id": "w"}),
    protocol.setup(None, {}),
    protocol.call("c", None, {"text": "line\nbreak \u2028"}, {}),
    protocol.cancel("c"),
    protocol.unload(),
    protocol.loaded({"functions": {}}),
    protocol.load_failed("e", "t"),
    protocol.ready(),
    protocol.setup_failed("e", "t"),
    protocol.started("c"),
    protocol.log(None, protocol.LOG_SETUP, "text"),
    protocol.failed("c", "e", "exception"),
    protocol.unloaded(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["type"])
def test_a_message_is_one_line_and_comes_back(message):
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert protocol.decode(line) == message


@pytest.mark.parametrize("kind", ["output", "result"])
def test_an_output_is_put_into_its_message_as_it_is(kind):
    line = protocol.encode_output(kind, 'call "1"', b'{"text":"\xc3\xa9"}')
    assert protocol.decode(line) == {"type": kind, "call": 'call "1"', "output": {"text": "é"}}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["type"])
def test_a_message_without_one_of_its_fields_is_refused_by_the_name_of_the_field(message):
    for name in message.keys() - {"type"}:
        part = {key: value for key, value in message.items() if key != name}
        with pytest.raises(protocol.WorkerProtocolError, match=name):
            protocol.decode(protocol.encode(part))


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_anything_else_is_refused(line):
    with pytest.raises(protocol.WorkerProtocolError):
        protocol.decode(line)


@given(st.text(st.characters()))
def test_an_error_is_one_line_of_text_whatever_it_says(text):
    line = failures.one_line(text)
    line.encode()
    assert len(line.splitlines()) <= 1
    assert len(line) <= failures.MAX_ERROR_CHARS


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first second"),
        (RuntimeError(), "RuntimeError"),
        (KeyError("name"), "KeyError: 'name'"),
        (SystemExit(3), "run called sys.exit(3)"),
        (SystemExit(), "run called sys.exit()"),
    ],
)
def test_an_exception_speaks_by_its_message_or_else_by_its_name(error, line):
    assert failures.error_line(error, "run") == line
