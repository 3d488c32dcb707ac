"""Agent tools are chats below the one that calls: one invocation, one chat, so deep and no deeper."""

from __future__ import annotations

import asyncio

import pytest

from inferencesh_engine.agents.tools.runner import ChildEnd, ToolError
from tool_bench import MemoryChats, bench, tool_of

HELPER = tool_of("agent", ref="acme/helper@latest")


def trying(scenario, tmp_path, answer=None, *, answers=True, **config):
    async def main():
        chats = MemoryChats(answer)
        if answers:
            chats.answering.set()
        async with bench(tmp_path, chats=chats, **config) as tried:
            await scenario(tried, chats)

    asyncio.run(main())


def test_the_message_is_given_to_the_agent_and_its_answer_is_the_result(tmp_path):
    async def scenario(tried, chats):
        outcome = await tried.run(HELPER, {"message": "look it up"})
        assert outcome.text == "a fine day"
        assert chats.started == [("inv1", {"ref": "acme/helper@latest"}, "look it up")]
        assert tried.executions == ["child-of-inv1"]

    trying(scenario, tmp_path)


def test_what_the_agent_finished_with_is_the_result_as_json(tmp_path):
    async def scenario(tried, _chats):
        assert (await tried.run(HELPER, {"message": "x"})).text == '{"city": "Tromsø"}'

    trying(scenario, tmp_path, ChildEnd("done", output={"city": "Tromsø"}))


def test_an_agent_that_fails_is_an_error_for_the_model(tmp_path):
    async def scenario(tried, _chats):
        assert "no model here" in await tried.refusal(HELPER, {"message": "x"})

    trying(scenario, tmp_path, ChildEnd("", error="no model here"))


def test_after_a_restart_the_same_chat_is_waited_for(tmp_path):
    async def scenario(tried, chats):
        assert (await tried.run(HELPER, {"message": "x"}, execution_id="chat7")).text == "a fine day"
        assert chats.started == []

    trying(scenario, tmp_path)


def test_agents_call_agents_only_so_deep(tmp_path):
    async def scenario(tried, chats):
        await tried.run(HELPER, {"message": "x"}, depth=1)
        said = await tried.refusal(HELPER, {"message": "x"}, depth=2)
        assert "at most 2 deep here (max_agent_depth)" in said
        assert len(chats.started) == 1

    trying(scenario, tmp_path, max_agent_depth=2)


@pytest.mark.parametrize(("stopping", "stopped"), [(False, ["child-of-inv1"]), (True, [])])
def test_a_stopped_call_stops_its_chat_unless_the_engine_stops(tmp_path, stopping, stopped):
    async def scenario(tried, chats):
        calling = asyncio.ensure_future(tried.run(HELPER, {"message": "x"}))
        await chats.waiting.wait()
        tried.stopping = stopping
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert chats.stopped == stopped

    trying(scenario, tmp_path, answers=False)


@pytest.mark.parametrize(
    ("description", "shown"), [("Looks things up.", "Looks things up."), ("", "Ask acme/helper.")]
)
def test_the_model_sees_one_argument_and_what_the_agent_is_for(tmp_path, description, shown):
    (tmp_path / "agents").mkdir()
    template = f"namespace: acme\nname: helper\ndescription: {description}\ncore_app: {{ref: a/b}}\n"
    (tmp_path / "agents" / "helper.yml").write_text(template)

    async def scenario(tried, _chats):
        offered = await tried.offered(HELPER)
        assert list(offered.parameters["properties"]) == ["message"]
        assert offered.description == shown

    trying(scenario, tmp_path)


@pytest.mark.parametrize("spec", [{"ref": "acme/nobody"}, {"id": "nobody"}])
def test_an_agent_that_is_not_there_cannot_be_offered(tmp_path, spec):
    async def scenario(tried, _chats):
        with pytest.raises(ToolError, match="nobody"):
            await tried.offered(tool_of("agent", **spec))

    trying(scenario, tmp_path)
