"""Conversations become messages: nothing lost, nothing merged that must not be, nothing written to."""

import base64
import json
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_app.llm import (
    ContextMessage,
    FileCapabilityMixin,
    ImageCapabilityMixin,
    LLMInput,
    ReasoningCapabilityMixin,
    ToolsCapabilityMixin,
    build_messages,
    build_openai_messages,
    build_tools,
    file_to_base64_data_uri,
    image_to_base64_data_uri,
)
from inferencesh_core.file import File

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "llm-messages.json").read_text("utf-8"))
NAMES = {
    "ContextMessage": ContextMessage,
    "LLMInput": LLMInput,
    "build_messages": build_messages,
    "build_tools": build_tools,
}


class AnyInput(
    LLMInput, ToolsCapabilityMixin, ReasoningCapabilityMixin, ImageCapabilityMixin, FileCapabilityMixin
):
    system_prompt: str = ""


def user(text, **more):
    return ContextMessage(role="user", text=text, **more)


def assistant(text, **more):
    return ContextMessage(role="assistant", text=text, **more)


def result(text, call_id):
    return ContextMessage(role="tool", text=text, tool_call_id=call_id)


def call(call_id, arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def said(text, *context, **options):
    return build_messages(AnyInput(text=text, context=list(context)), **options)


@pytest.fixture
def files(tmp_path):
    def make(name, content=b"hi", **more):
        (tmp_path / name).write_bytes(content)
        return File(path=str(tmp_path / name), **more)

    return make


def uri(content_type, content=b"hi"):
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["expression"] for vector in VECTORS])
def test_vectors_hold(vector):
    assert eval(vector["expression"], dict(NAMES)) == vector["json"]


def test_both_names_are_one_function():
    assert build_openai_messages is build_messages


def test_each_tool_result_keeps_its_own_call():
    messages = said("", assistant("", tool_calls=[call("1"), call("2")]), result("a", "1"), result("b", "2"))
    assert messages[1:3] == [
        {"role": "tool", "content": "a", "tool_call_id": "1"},
        {"role": "tool", "content": "b", "tool_call_id": "2"},
    ]


def test_a_new_tool_result_is_not_merged_with_the_one_before():
    built = build_messages(AnyInput(role="tool", text="b", tool_call_id="2", context=[result("a", "1")]))
    assert [message["tool_call_id"] for message in built] == ["1", "2"]


def test_merged_answers_keep_all_their_calls():
    messages = said("q", assistant("x", tool_calls=[call("1")]), assistant("y", tool_calls=[call("2", {})]))
    assert messages[0] == {"role": "assistant", "content": "x\n\ny", "tool_calls": [call("1"), call("2")]}


@pytest.mark.parametrize(
    ("given_arguments", "sent"), [({"a": 1}, '{"a": 1}'), ('{"a":1}', '{"a":1}'), (None, "{}"), ("", "")]
)
def test_arguments_are_sent_as_text(given_arguments, sent):
    assert said("q", assistant("", tool_calls=[call("1", given_arguments)]))[0]["tool_calls"] == [
        call("1", sent)
    ]


def test_a_users_text_is_transformed_once_and_an_answer_never():
    messages = said(
        "d", user("a"), assistant("b"), user("c"), transform_user_message=lambda text: f"<{text}>"
    )
    assert [message["content"] for message in messages] == ["<a>", "b", "<c\n\nd>"]


def test_reasoning_goes_with_the_answer_it_led_to():
    messages = said(
        "q",
        user("a"),
        assistant("x", reasoning="r1"),
        user("b"),
        assistant("y", reasoning="r2"),
        assistant("z", reasoning="r3"),
        include_reasoning=True,
    )
    assert [message.get("reasoning") for message in messages] == [None, "r1", None, "r2\n\nr3", None]
    assert messages[3]["reasoning_details"] == {
        "type": "reasoning.text",
        "text": "r2\n\nr3",
        "id": "reasoning-text-1",
        "index": 1,
    }


def test_reasoning_is_left_out_unless_asked_for():
    assert "reasoning" not in said("q", user("a"), assistant("x", reasoning="r"))[1]


def test_images_stand_before_files_behind_the_text(files):
    built = build_messages(
        AnyInput(text="q", files=[files("a.pdf")], images=[files("a.jpg")], context=[user("first")])
    )
    assert built[0]["content"] == [
        {"type": "text", "text": "first\n\nq"},
        {"type": "image_url", "image_url": {"url": uri("image/jpeg")}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": uri("application/pdf")}},
    ]


def test_only_messages_with_files_become_parts(files):
    messages = said("q", user("see", images=[files("a.png")]), assistant("seen"))
    assert [type(message["content"]) for message in messages] == [list, str, str]


@pytest.mark.parametrize(
    ("address", "mode", "passed_on"),
    [
        ("https://h/a.png", "url", True),
        ("https://h/a.png", "base64", False),
        ("inf://a", "url", False),
        (None, "url", False),
    ],
)
def test_only_web_addresses_are_passed_on_and_only_when_asked(files, address, mode, passed_on):
    file = files("a.png", uri=address)
    built = build_messages(AnyInput(text="q", images=[file], files=[file]), file_mode=mode, image_mode=mode)
    expected = address if passed_on else uri("image/png")
    _, image, attached = built[0]["content"]
    assert image["image_url"]["url"] == attached["file"]["file_data"] == expected


def test_an_address_is_passed_on_without_downloading_it():
    image = File("https://images.invalid/a.png")
    build_messages(AnyInput(text="q", images=[image]), image_mode="url")
    assert not image.is_resolved()


@pytest.mark.parametrize(
    ("name", "content", "label"),
    [
        ("a.JPG", b"hi", "image/jpeg"),
        ("a.webp", b"hi", "image/webp"),
        ("a.Png", b"hi", "image/png"),
        ("wrong.png", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("nameless", b"GIF89a", "image/gif"),
        ("unknown.bin", b"hi", "image/png"),
    ],
)
def test_images_are_labelled_by_what_they_are(tmp_path, name, content, label):
    (tmp_path / name).write_bytes(content)
    assert image_to_base64_data_uri(tmp_path / name) == uri(label, content)


@pytest.mark.parametrize(
    ("name", "label"),
    [("a.txt", "text/plain"), ("a.MD", "text/markdown"), ("a.pdf", "application/pdf"), ("a.zzz", None)],
)
def test_files_are_labelled_by_their_name(tmp_path, name, label):
    (tmp_path / name).write_bytes(b"hi")
    assert file_to_base64_data_uri(tmp_path / name) == uri(label or "application/octet-stream")


def test_a_declared_content_type_labels_a_file_without_a_telling_name(files):
    file = files("digest", content_type="text/csv")
    built = build_messages(AnyInput(text="q", files=[file]))
    assert built[0]["content"][1]["file"]["file_data"] == uri("text/csv")


def test_a_missing_file_is_an_error_naming_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        image_to_base64_data_uri(tmp_path / "gone.png")


TOOLS = [
    {"name": "f"},
    {"type": "function", "name": "f", "parameters": {}},
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": None}}},
]


@pytest.mark.parametrize("tool", TOOLS)
def test_every_spelling_of_a_tool_becomes_the_wrapped_one(tool):
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    assert build_tools([tool]) == [{"type": "function", "function": function}]


def test_building_tools_leaves_the_definitions_as_they_are():
    tools = deepcopy(TOOLS)
    build_tools(tools)
    assert tools == TOOLS


calls = st.lists(
    st.builds(call, st.uuids().map(str), st.one_of(st.dictionaries(st.text(), st.integers()), st.text())),
    max_size=3,
)
contexts = st.lists(
    st.builds(
        ContextMessage,
        role=st.sampled_from(["user", "assistant", "system", "tool"]),
        text=st.text(),
        reasoning=st.none() | st.text(min_size=1),
        tool_calls=st.none() | calls,
        tool_call_id=st.none() | st.uuids().map(str),
    ),
    max_size=8,
)


@given(contexts)
def test_no_tool_result_is_lost_or_merged(context):
    results = [(m.text, m.tool_call_id or "") for m in context if m.role == "tool"]
    sent = [m for m in said("q", *context, include_reasoning=True) if m["role"] == "tool"]
    assert [(m["content"], m["tool_call_id"]) for m in sent] == results


@given(contexts)
def test_no_call_is_lost_and_all_arguments_are_text(context):
    sent = [c for m in said("q", *context) for c in m.get("tool_calls", [])]
    assert [c["id"] for c in sent] == [c["id"] for m in context for c in m.tool_calls or []]
    assert all(isinstance(c["function"]["arguments"], str) for c in sent)


@given(contexts)
def test_neighbours_differ_in_role_tool_results_aside(context):
    roles = [message["role"] for message in said("q", *context)]
    assert all(a != b or a == "tool" for a, b in pairwise(roles))


@given(contexts)
def test_the_input_is_never_written_to(context):
    data = AnyInput(text="q", context=context)
    before = deepcopy(data)
    first = build_messages(data, transform_user_message=str.upper, include_reasoning=True)
    assert data == before
    assert build_messages(data, transform_user_message=str.upper, include_reasoning=True) == first


@given(contexts)
def test_writing_to_messages_does_not_write_to_the_input(context):
    data = AnyInput(text="q", context=context)
    before = deepcopy(data)
    for message in build_messages(data):
        for sent in message.get("tool_calls", []):
            sent["function"]["name"] = "changed"
    assert data == before
