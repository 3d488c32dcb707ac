"""What a model is given of a chat, and what is kept of what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_engine.agents.configuration import AgentConfig
from inferencesh_engine.agents.conversation import Answer, ModelCall, answer_in, model_input
from inferencesh_engine.agents.tools.runner import Offered
from inferencesh_engine.domain.chat import InvocationStatus, Message, MessageStatus, ToolInvocation

CONFIG = AgentConfig(core_app={"app": "a/b"})
LOOK = Offered("look", "looks", {"type": "object", "properties": {}})


def message(order, role, text="", *, status="ready", parts=(), **more):
    said = ({"type": "text", "text": text},) if text else ()
    return Message(
        id=f"m{order}",
        chat_id="c1",
        created_at=1.0,
        updated_at=1.0,
        order=order,
        role=role,
        status=MessageStatus(status),
        parts=(*said, *parts),
        **more,
    )


def call(position, result, arguments=None, *, name="look"):
    return ToolInvocation(
        id=f"i{position}",
        chat_id="c1",
        message_id="m1",
        created_at=1.0,
        updated_at=1.0,
        position=position,
        call_id=f"call_{position}",
        name=name,
        type="client",
        arguments={} if arguments is None else arguments,
        status=InvocationStatus.COMPLETED,
        result=result,
    )


def given_to_model(*messages, invocations=None, config=CONFIG, offered=()):
    return model_input(config, messages, invocations or {}, offered)


def test_the_newest_message_is_what_the_model_answers():
    given_in = given_to_model(
        message(0, "user", "Hi"), message(1, "assistant", "Hello"), message(2, "user", "And?")
    )
    assert given_in == {
        "context": [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello"}],
        "role": "user",
        "text": "And?",
    }


def test_images_and_files_go_with_their_message():
    parts = (
        {"type": "image", "image": "u1"},
        {"type": "file", "file": "u2"},
        {"type": "image", "image": "u3"},
    )
    given_in = given_to_model(message(0, "user", "Look", parts=parts))
    assert (given_in["images"], given_in["files"]) == (["u1", "u3"], ["u2"])


def test_results_follow_their_calls_and_the_last_is_what_is_answered():
    asked = message(1, "assistant", "Wait", parts=({"type": "reasoning", "text": "hm"},))
    results = [call(1, "r1"), call(0, "r0", {"a": 1})]
    given_in = given_to_model(message(0, "user", "Go"), asked, invocations={"m1": results}, offered=[LOOK])
    assert [entry["role"] for entry in given_in["context"]] == ["user", "assistant", "tool"]
    said = given_in["context"][1]
    assert (said["reasoning"], [one["id"] for one in said["tool_calls"]]) == ("hm", ["call_0", "call_1"])
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert given_in["context"][2] == {"role": "tool", "text": "r0", "tool_call_id": "call_0"}
    assert (given_in["role"], given_in["text"], given_in["tool_call_id"]) == ("tool", "r1", "call_1")
    assert given_in["tools"][0]["function"]["name"] == "look"


def test_arguments_that_were_no_json_are_not_sent_back():
    results = {"m1": [call(0, "no JSON", "{broken")]}
    given_in = given_to_model(message(0, "user", "Go"), message(1, "assistant"), invocations=results)
    assert given_in["context"][-1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_what_was_never_said_is_left_out():
    given_in = given_to_model(
        message(0, "user", "One"),
        message(1, "assistant", status="failed"),
        message(2, "user", "Two", status="cancelled"),
        message(3, "assistant", "part of it", status="cancelled"),
        message(4, "user", "Three"),
        message(5, "user", "Four", status="queued"),
    )
    assert [entry["text"] for entry in given_in["context"]] == ["One", "part of it"]
    assert given_in["text"] == "Three"


def test_settings_of_the_message_win_over_those_of_the_agent():
    config = replace(
        CONFIG, input={"temperature": 0.2, "top_p": 0.5, "context_size": 0}, system_prompt="Be brief."
    )
    asked = message(
        0, "user", "Hi", settings={"temperature": 0.9, "context": [{"role": "user", "text": "before"}]}
    )
    given_in = given_to_model(asked, config=config)
    assert (given_in["temperature"], given_in["top_p"]) == (0.9, 0.5)
    assert given_in["system_prompt"] == "Be brief."
    assert "context_size" not in given_in
    assert given_in["context"] == [{"role": "user", "text": "before"}]


def test_settings_last_for_the_whole_turn():
    asked = message(0, "user", "Go", settings={"temperature": 0.9})
    given_in = given_to_model(asked, message(1, "assistant"), invocations={"m1": [call(0, "r")]})
    assert given_in["temperature"] == 0.9


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"a": 1}', {"a": 1}), ({"a": 1}, {"a": 1}), ("", {}), (None, {}), ("[1]", "[1]"), ("{oops", "{oops")],
)
def test_arguments_come_as_an_object_or_as_its_text(arguments, expected):
    made = {"id": "x", "function": {"name": "look", "arguments": arguments}}
    assert answer_in({"tool_calls": [made]}).calls == (ModelCall("x", "look", expected),)


def test_calls_without_an_id_get_one():
    made = {"function": {"name": "look"}}
    assert [one.call_id for one in answer_in({"tool_calls": [made, made]}).calls] == ["call_0", "call_1"]


def test_parts_come_in_order_and_empty_ones_do_not():
    output = {
        "response": "Blue.",
        "reasoning": "",
        "images": [{"uri": "u"}, "v", 3],
        "usage": {"total_tokens": 7},
    }
    assert answer_in(output) == Answer(
        parts=(
            {"type": "text", "text": "Blue."},
            {"type": "image", "image": "u"},
            {"type": "image", "image": "v"},
        ),
        tokens=7,
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "response",
                    "reasoning",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "images",
                    "usage",
                    "id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_output_can_be_read(output):
    answer = answer_in(output)
    assert all(isinstance(part["type"], str) for part in answer.parts)
    assert all(isinstance(one.arguments, (dict, str)) for one in answer.calls)
