"""What callers say and how agents are configured: read strictly, and leniently where clients differ."""

import pytest

from inferencesh_engine.agents.configuration import parse_agent
from inferencesh_engine.agents.internal_tools import internal_tools
from inferencesh_engine.agents.requests import check_depth, parse_agent_run, parse_choice, parse_message
from inferencesh_engine.domain.problems import Problem

CORE = {"core_app": {"ref": "a/model"}}


def refused(read, value):
    with pytest.raises(Problem) as caught:
        read(value)
    return caught.value


@pytest.mark.parametrize(
    "given",
    [
        {
            "attachments": [
                {"uri": "i", "content_type": "image/png"},
                {"uri": "f", "content_type": "text/plain"},
            ]
        },
        {"images": ["i"], "files": ["f"]},
        {"images": [{"uri": "i"}], "files": [{"uri": "f"}], "attachments": None},
    ],
)
def test_files_are_attached_in_three_ways(given):
    message = parse_message({"text": "Look", **given})
    assert [part["type"] for part in message.parts] == ["text", "image", "file"]
    assert (message.parts[1]["image"], message.parts[2]["file"]) == ("i", "f")


def test_what_clients_send_when_nothing_is_set_means_nothing():
    unset = {"system_prompt": "", "context_size": 0, "context": [], "model": None, "stop": []}
    assert parse_message({"text": "Hi", "role": "user", **unset}).settings == {}


def test_a_zero_that_means_something_is_kept():
    settings = parse_message({"text": "Hi", "temperature": 0, "seed": 0}).settings
    assert settings == {"temperature": 0, "seed": 0}


def test_a_text_alone_is_a_message():
    assert parse_message("Hi") == parse_message({"text": "Hi"})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (None, "input"),
        ({"text": ""}, "input.text"),
        ({"text": 1}, "text"),
        ({"text": "half \ud800"}, "text"),
        ({"text": "Hi", "role": "tool"}, "input.role"),
        ({"text": "Hi", "images": "x"}, "images"),
        ({"text": "Hi", "files": [1]}, "input.attachments"),
    ],
)
def test_a_message_that_is_none_is_refused_by_its_field(given, field):
    assert refused(parse_message, given).extra["field"] == field


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_only_so_much_nesting_is_taken():
    check_depth({"a": [nested(90), {"b": 1}, "text"]})
    assert "nested deeper than 100" in refused(check_depth, {"a": nested(100)}).detail


def test_an_agent_is_chosen_in_several_ways():
    assert parse_choice({"agent": "a/b"}).ref == "a/b"
    assert parse_choice({"agent": {"ref": "a/b"}}).ref == "a/b"
    assert parse_choice({"agent": CORE}).config == CORE
    assert parse_choice({"agent_id": "1", "agent_version_id": "2"}).version_id == "2"
    assert not parse_choice({"agent": "", "agent_config": None}).given


def test_a_message_to_a_known_chat_needs_no_agent():
    assert parse_agent_run({"chat_id": "c1", "input": {"text": "Hi"}}).chat_id == "c1"
    assert refused(parse_agent_run, {"input": {"text": "Hi"}}).extra["field"] == "agent"


def test_older_spellings_of_an_agent_are_understood():
    config = parse_agent({"core_app_ref": "a/model", "temperature": 0.3, "max_tool_iterations": 4})
    assert (config.core_app, config.input, config.max_steps) == ({"app": "a/model"}, {"temperature": 0.3}, 4)


def test_http_and_call_are_one_kind():
    tools = [
        {"name": "one", "type": "call", "http": {"url": "u"}},
        {"name": "two", "type": "http", "call": {"url": "u"}},
    ]
    assert [tool.spec for tool in parse_agent({**CORE, "tools": [*tools, None]}).tools] == [{"url": "u"}] * 2


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "core_app.ref"),
        ({"core_app": {"ref": 1}}, "core_app.ref"),
        ({"core_app": "a/model"}, "core_app"),
        ({**CORE, "tools": {}}, "tools"),
        ({**CORE, "tools": ["x"]}, "tools"),
        ({**CORE, "tools": [{"type": "client", "client": {}}]}, "tools[0].name"),
        ({**CORE, "tools": [{"name": "x", "client": {}}]}, "tools[0].type"),
        ({**CORE, "tools": [{"name": "x", "type": "app"}]}, "tools[0].app"),
        ({**CORE, "context": [{}]}, "context[].name"),
        ({**CORE, "max_tool_iterations": 0}, "max_tool_iterations"),
        ({**CORE, "system_prompt": 5}, "system_prompt"),
    ],
)
def test_a_wrong_member_of_an_agent_is_named(config, field):
    assert refused(parse_agent, config).extra["field"] == field


def test_two_tools_of_one_name_are_refused():
    tool = {"name": "x", "type": "client", "client": {}}
    assert "two tools 'x'" in refused(parse_agent, {**CORE, "tools": [tool, tool]}).detail


def names(top_level=True, **config):
    return [tool.name for tool in internal_tools(parse_agent({**CORE, **config}), top_level=top_level)]


def test_internal_tools_are_those_that_are_switched_on():
    assert names() == []
    assert names(internal_tools={"memory": True, "plan": False}) == [
        "memory_set",
        "memory_get",
        "memory_getall",
    ]


def test_finish_and_skills_come_with_what_they_are_for():
    assert names(output_schema={"type": "object"}) == ["finish"]
    assert names(skills=[{"name": "s"}]) == ["skill_get"]
    assert names(output_schema={"type": "object"}, internal_tools={"finish": False}) == []


def test_only_chats_with_a_person_have_widgets():
    assert names(internal_tools={"widget": True}) == ["widget"]
    assert names(top_level=False, internal_tools={"widget": True}) == []
