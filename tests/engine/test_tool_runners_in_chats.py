"""Tools of several kinds, called by a model in one message of a chat: each does its part, broken ones too."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web

from inline_model import AGENT, answers, calls, chatting, says, text_of, told
from tool_bench import listening

PROBE = str(Path(__file__).parents[1] / "mcp_probe.py")
ENGINE_YML = f"""
tool_secrets:
  NOTES_KEY: {{hosts: [127.0.0.1]}}
mcp_servers:
  int-abc123: {{command: {json.dumps(sys.executable)}, args: [{json.dumps(PROBE)}, stdio]}}
  broken: {{command: no-such-program}}
"""


OUTPUT = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}


def agent(url):
    internal = {"internal_tools": {"memory": True}, "output_schema": OUTPUT}
    return {**AGENT, "tools": tools(url), **internal}


def tools(url):
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    auth = {"type": "bearer", "secret": "NOTES_KEY"}
    note = {"url": url + "/{{context.tenant}}", "auth": auth, "input_schema": schema}
    return [
        {"name": "note", "type": "http", "http": note},
        {"name": "add", "type": "mcp", "mcp": {"integration_id": "int-abc123", "tool_name": "add"}},
        {"name": "gone", "type": "mcp", "mcp": {"integration_id": "broken", "tool_name": "x"}},
        {"name": "hook", "type": "hook", "hook": {"url": url + "/hook", "secret": "NOTES_KEY"}},
    ]


MODEL = answers(
    says(
        "Let me see.",
        calls("note", {"text": "milk"}, "c1"),
        calls("add", {"a": 2, "b": 3}, "c2"),
        calls("gone", {}, "c3"),
        calls("hook", {"done": True}, "c4"),
        calls("memory_set", {"key": "sum", "value": "5"}, "c5"),
        calls("note", {"txt": "milk"}, "c6"),
    ),
    says("", calls("finish", {"sum": 5}, "c7")),
)


async def api(request):
    return web.json_response({"path": request.path, "key": request.headers.get("Authorization")})


def test_every_kind_of_tool_does_its_part_in_one_turn(tmp_path):
    async def main():
        app = web.Application()
        app.router.add_post("/{path:.*}", api)
        settings = {"secrets": {"NOTES_KEY": "s3cret"}, "allow_private_addresses": True}
        async with listening(app) as url, chatting(tmp_path, MODEL, **settings) as (engine, workers):
            chat = await told(engine, "go", agent=agent(url), context={"tenant": "acme"}, status="completed")
            return chat, workers.inputs

    (tmp_path / "engine.yml").write_text(ENGINE_YML)
    chat, inputs = asyncio.run(main())
    offered = [tool["function"]["name"] for tool in inputs[0]["tools"]]
    assert "gone" not in offered
    (notice,) = chat["notices"]
    assert notice.startswith("tool gone is not offered in this turn: there is no program no-such-program")
    assert {"note", "add", "hook", "memory_get", "finish"} <= set(offered)

    first = next(message for message in chat["chat_messages"] if text_of(message) == "Let me see.")
    told_by = {one["tool_invocation_id"]: one for one in first["tool_invocations"]}
    assert json.loads(told_by["c1"]["result"]) == {"path": "/acme", "key": "Bearer [secret NOTES_KEY]"}
    assert told_by["c2"]["result"] == "5"
    assert json.loads(told_by["c4"]["result"])["path"] == "/hook"
    statuses = [told_by[call]["status"] for call in ("c1", "c2", "c3", "c4", "c5", "c6")]
    assert statuses == ["completed", "completed", "failed", "completed", "completed", "failed"]
    assert "text" in told_by["c6"]["result"]

    assert chat["output"] == {"sum": 5}
    assert chat["agent_data"]["memory"] == {"sum": "5"}
    assert "s3cret" not in json.dumps([chat, inputs])


def test_a_notice_is_of_the_present_turn_and_streamed(tmp_path):
    lacking = {**AGENT, "tools": [tools("http://x")[2]]}

    async def main():
        async with chatting(tmp_path, answers(says("Done."))) as (engine, _):
            chat = await told(engine, "go", agent=lacking)
            noticed = [event.data["notices"] async for event in before_idle(engine, chat["id"])]
            await engine.agents.chats.switch_agent(chat["id"], {"agent_config": AGENT})
            return noticed, await told(engine, "again", chat_id=chat["id"])

    noticed, later = asyncio.run(main())
    assert "MCP server 'broken' is not connected" in noticed[-1][0]
    assert later["notices"] == []


async def before_idle(engine, chat_id):
    """The chat's own lines until it is idle."""
    async for event in engine.agents.chats.follow(chat_id):
        if event.name == "chats":
            yield event
            if event.data["status"] == "idle":
                return
