"""Snapshots of messages turned into what is new in each."""

from hypothesis import given
from hypothesis import strategies as st

from chat_scripts import invocation, message
from inferencesh_agents import ReasoningDelta, TextDelta, ToolCalled, ToolReturned
from inferencesh_agents.deltas import Deltas


def told(*messages):
    deltas = Deltas()
    return [delta for each in messages for delta in deltas.of(each)]


def test_only_what_is_new_is_told():
    assert told(
        message(2, "pending"),
        message(2, "pending", "Hel"),
        message(2, "pending", "Hello"),
        message(2, "ready", "Hello"),
        message(3, "ready", "Bye"),
    ) == [TextDelta("Hel", "m2"), TextDelta("lo", "m2"), TextDelta("Bye", "m3")]


def test_text_that_was_rewritten_is_told_anew():
    assert told(message(2, "pending", "Hello"), message(2, "ready", "Bye")) == [
        TextDelta("Hello", "m2"),
        TextDelta("Bye", "m2", replaces=True),
    ]


def test_reasoning_comes_apart_from_the_text():
    thinking = {"type": "reasoning", "text": "hm"}
    newer = {"type": "reasoning", "reasoning": "hmm"}
    snapshots = [
        message(2, "pending", content=[thinking]),
        message(2, "pending", content=[newer, {"type": "text", "text": "Yes"}]),
    ]
    assert told(*snapshots) == [
        ReasoningDelta("hm", "m2"),
        ReasoningDelta("m", "m2"),
        TextDelta("Yes", "m2"),
    ]


def test_a_tool_is_called_once_and_returns_once():
    done = invocation(1, "completed", result="4")
    assert told(
        message(2, tools=[invocation(1, "pending")]),
        message(2, tools=[invocation(1)]),
        message(2, tools=[done]),
        message(2, "ready", tools=[done]),
    ) == [
        ToolCalled("ti1", "get_weather", {"city": "Oslo"}, "client"),
        ToolReturned("ti1", "get_weather", "4", "completed"),
    ]


def test_what_others_say_is_not_told():
    assert told(message(1, "ready", "hi", role="user"), message(2, "ready", "x", role="tool")) == []


@given(st.lists(st.text(max_size=8), max_size=8))
def test_deltas_put_together_are_the_text(parts):
    snapshots = [message(2, "pending", "".join(parts[: end + 1])) for end in range(len(parts))]
    assert "".join(delta.text for delta in told(*snapshots)) == "".join(parts)
