import json
from pathlib import Path

import pytest

from inferencesh_core.statuses import TaskStatus, is_message_ready, is_terminal_status, parse_status

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "statuses.json").read_text())
NAMES = {
    "parse_status": parse_status,
    "is_terminal_status": is_terminal_status,
    "is_message_ready": is_message_ready,
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["expression"])
def test_the_helpers_answer_as_in_the_published_vectors(vector):
    found = eval(vector["expression"], NAMES)
    if "enum" in vector:
        assert found is TaskStatus[vector["enum"].removeprefix("TaskStatus.")]
    else:
        assert found is vector["json"]


@pytest.mark.parametrize("status", TaskStatus, ids=lambda status: status.name)
def test_a_status_is_found_by_number_and_by_name_in_any_case(status):
    names = status.name, status.name.lower(), status.name.title()
    assert {TaskStatus(value) for value in (int(status), *names)} == {status}
    assert {parse_status(value) for value in (int(status), *names)} == {status}


@pytest.mark.parametrize("value", ["nonsense", "", 13, -1, None, []])
def test_a_value_that_is_no_status_is_refused_by_the_enum(value):
    with pytest.raises(ValueError, match="is not a valid TaskStatus"):
        TaskStatus(value)


@pytest.mark.parametrize("value", ["nonsense", "7", 7.5, []])
def test_parsing_never_raises_but_answers_unknown(value):
    assert parse_status(value) is TaskStatus.UNKNOWN


def test_exactly_three_statuses_are_terminal():
    assert [status.name for status in TaskStatus if is_terminal_status(status)] == [
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    ]
    assert not is_terminal_status(None)


def test_a_queued_message_is_not_ready():
    assert not is_message_ready("queued")
    assert not is_message_ready("")
    assert is_message_ready("failed")


@pytest.mark.parametrize("value", [[], {}, [10], {"completed": 1}, object(), 10.5])
def test_what_is_no_status_is_not_terminal(value):
    assert not is_terminal_status(value)
    assert parse_status(value) == TaskStatus.UNKNOWN
