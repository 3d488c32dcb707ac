"""Agents as users write them; read by type checkers, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import BaseModel
from typing_extensions import assert_type

from inferencesh_agents import (
    Agent,
    AgentConfig,
    AgentError,
    AgentsAPI,
    ApprovalRequest,
    AsyncAgent,
    AsyncAgentsAPI,
    Decision,
    Delta,
    Rejection,
    TextDelta,
    ToolCallInfo,
    TurnDone,
    TurnFailedError,
    internal_tools,
    string,
    tool,
)
from inferencesh_async import async_inference
from inferencesh_core import inference
from inferencesh_core.types import ChatDTO, ChatMessageDTO, FileRef


class Pet(BaseModel):
    name: str


def get_weather(city: str) -> dict[str, int]:
    return {city: 4}


def on_message(message: ChatMessageDTO) -> None:
    _ = message.get("content")


def on_tool_call(call: ToolCallInfo) -> str | None:
    assert_type(call.args, dict[str, Any])
    return call.name


async def on_approval(request: ApprovalRequest) -> Decision:
    assert_type(request.args, dict[str, Any])
    return Rejection("no") if request.name == "delete" else "always"


client = inference()
assert_type(client.agents, AgentsAPI)
assert_type(client.agents.create("acme/helper@q1"), Agent)
assert_type(client.agent("acme/helper", context={"tenant_id": "acme"}, chat_id="c1"), Agent)

config: AgentConfig = {
    "core_app": {"ref": "acme/model"},
    "tools": [tool("a").param("x", string()).handler(lambda args: args["x"]), tool("b"), get_weather],
    "internal_tools": internal_tools().plan(),
}
agent = client.agents.create(config)
by_reference: AgentConfig = {"core_app": "acme/model"}
assert_type(agent.chat_id, "str | None")
assert_type(agent.send_message("hi"), ChatMessageDTO)
assert_type(agent.send_message("hi", [b"x", "photo.png"], on_message, on_tool_call), ChatMessageDTO)
agent.send_message("hi", on_approval=on_approval, timeout=5, stop_on_exit=True)
agent.send_message("hi", on_approval=lambda request: request.name == "a")
assert_type(agent.run("hi"), Any)
assert_type(agent.run("hi", Pet), "Pet | None")
assert_type(agent.run("hi", output_type=Pet, timeout=5, files=[b"x"]), "Pet | None")
assert_type(agent.upload_file(b"x", filename="x.txt"), FileRef)
agent.send_message("hi", attachments=[agent.upload_file(b"x")])
assert_type(agent.stream("hi", timeout=5), Iterator[Delta])
assert_type(agent.stream_messages(), Iterator[ChatMessageDTO])
assert_type(agent.stream_chat("c1", max_reconnects=3), Iterator[ChatDTO])
assert_type(agent.get_chat(), "ChatDTO | None")
agent.stream_all(on_message=on_message, on_tool_call=on_tool_call)
agent.stop_chat()
agent.submit_tool_result("ti1", "4")
agent.submit_tool_result("ti1", {"action": {"type": "ok"}})
agent.approve_tool("ti1", {"x": 1})
agent.reject_tool("ti1", "no")
agent.always_allow_tool("ti1")
agent.reset()

for piece in agent.stream("hi"):
    if isinstance(piece, TextDelta):
        assert_type(piece.text, str)
    elif isinstance(piece, TurnDone):
        assert_type(piece.message, ChatMessageDTO)
        assert_type(piece.chat, ChatDTO)

try:
    agent.run("hi")
except TurnFailedError as error:
    assert_type(error.chat, "ChatDTO | None")
except AgentError as error:
    assert_type(error.message, "ChatMessageDTO | None")


async def main() -> None:
    client = async_inference()
    assert_type(client.agents, AsyncAgentsAPI)
    agent = client.agent("acme/helper")
    assert_type(agent, AsyncAgent)
    assert_type(await agent.send_message("hi", on_message=on_message), ChatMessageDTO)
    assert_type(await agent.run("hi", Pet), "Pet | None")
    assert_type(agent.stream("hi"), AsyncIterator[Delta])
    async for piece in agent.stream("hi"):
        if isinstance(piece, TextDelta):
            assert_type(piece.text, str)
    async for message in agent.stream_messages():
        assert_type(message, ChatMessageDTO)
    assert_type(await agent.upload_file(b"x"), FileRef)
    agent.reset()
