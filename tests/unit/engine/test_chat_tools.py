"""What becomes of a model's tool call before anything runs."""

import socket

import pytest

from inferencesh_engine.agents.conversation import ModelCall
from inferencesh_engine.agents.tools.runner import Offered, Tool
from inferencesh_engine.agents.toolset import Toolset
from inferencesh_engine.domain.chat import Message, MessageStatus

MESSAGE = Message(
    id="m1",
    chat_id="c1",
    created_at=1.0,
    updated_at=2.0,
    order=1,
    role="assistant",
    status=MessageStatus.READY,
)


def toolset(schema=None, *, kind="client", approval=False):
    tool = Tool(name="look", type=kind, spec={}, require_approval=approval)
    offered = Offered("look", "", schema or {"type": "object", "required": ["city"]})
    return Toolset({"look": tool}, {"look": offered})


def made(tools, arguments=None, *, name="look", allowed=()):
    given = {"city": "Oslo"} if arguments is None else arguments
    return tools.invocation(MESSAGE, 0, ModelCall("call_1", name, given), allowed)


@pytest.mark.parametrize(
    ("tools", "allowed", "status"),
    [
        (toolset(), (), "awaiting_input"),
        (toolset(kind="http"), (), "pending"),
        (toolset(approval=True), (), "awaiting_approval"),
        (toolset(kind="http", approval=True), (), "awaiting_approval"),
        (toolset(kind="http", approval=True), ("look",), "pending"),
        (toolset(kind="http", approval=True), ("other",), "awaiting_approval"),
    ],
)
def test_a_call_goes_its_way_by_type_and_approval(tools, allowed, status):
    assert made(tools, allowed=allowed).status == status


@pytest.mark.parametrize(
    ("arguments", "name", "reason"),
    [
        ({}, "look", "'city' is a required property"),
        ("{oops", "look", "must be one JSON object, not '{oops'"),
        ({"city": "Oslo"}, "smell", "there is no tool 'smell'; there are: look"),
        ({"city": "Oslo"}, "", "there is no tool ''"),
    ],
)
def test_a_call_that_cannot_be_run_has_failed_before_anybody_is_asked(arguments, name, reason):
    call = made(toolset(approval=True), arguments, name=name)
    assert call.status == "failed"
    assert reason in call.result


def test_a_schema_that_refers_to_an_address_is_not_looked_up():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/schema.json"
        call = made(toolset({"type": "object", "properties": {"city": {"$ref": address}}}))
        with pytest.raises(TimeoutError):
            listening.accept()
    assert call.status == "failed"
    assert f"refers to {address}" in call.result
