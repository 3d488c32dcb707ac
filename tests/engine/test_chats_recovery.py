"""Chats outlive their engine: what waits still waits, and nothing is done twice."""

import asyncio

from inferencesh_engine.agents.tools.runner import Offered, ToolOutcome
from inferencesh_engine.domain.listing import ListQuery
from inferencesh_engine.plugins import hookimpl
from inline_model import AGENT, answers, calls, chatting, client_tool, says, text_of, told, until

CITY = {"city": {"type": "string"}}
ASKS = says("Let me look.", calls("get_weather", {"city": "Oslo"}))


def survives(tmp_path, before, after, *, model, plugins=()):
    """Run `before` on an engine and `after` on the one that follows it, with what `before` gave."""

    async def inside():
        async with chatting(tmp_path, model, plugins=plugins) as (engine, workers):
            given = await before(engine, workers)
        async with chatting(tmp_path, model, plugins=plugins) as (engine, workers):
            return await after(engine, given)

    return asyncio.run(asyncio.wait_for(inside(), 30))


def invocation(chat, message=-1):
    return chat["chat_messages"][message]["tool_invocations"][0]


def test_a_chat_that_waits_for_a_client_tool_still_waits_after_a_restart(tmp_path):
    agent = {**AGENT, "tools": [client_tool("get_weather", CITY)]}

    async def before(engine, _workers):
        return await told(engine, "Weather?", agent=agent, status="awaiting_input")

    async def after(engine, chat):
        assert engine.agents.chats.get(chat["id"]) == chat
        await engine.agents.decisions.submit(invocation(chat)["id"], {"result": "4"})
        return await until(engine, chat["id"], "idle")

    chat = survives(tmp_path, before, after, model=answers(ASKS, says("Four.")))
    assert [text_of(one) for one in chat["chat_messages"]] == ["Weather?", "Let me look.", "Four."]


def test_a_chat_that_waits_for_an_approval_still_waits_after_a_restart(tmp_path):
    agent = {**AGENT, "tools": [client_tool("get_weather", CITY, require_approval=True)]}

    async def before(engine, _workers):
        return await told(engine, "Weather?", agent=agent, status="awaiting_input")

    async def after(engine, chat):
        assert invocation(chat)["status"] == "awaiting_approval"
        await engine.agents.decisions.reject(invocation(chat)["id"], {})
        return await until(engine, chat["id"], "idle")

    chat = survives(tmp_path, before, after, model=answers(ASKS, says("Pity.")))
    assert text_of(chat["chat_messages"][-1]) == "Pity."


def test_the_task_that_was_writing_the_message_is_found_again(tmp_path):
    async def before(engine, workers):
        workers.waits = asyncio.Event()
        sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "Hi"}})
        queued = await engine.agents.chats.run({"chat_id": sent.live.id, "input": {"text": "And?"}})
        await workers.hanging.wait()
        return sent.live.id, queued.answer.id

    async def after(engine, given):
        chat_id, last = given
        async for event in engine.agents.chats.follow(chat_id):
            if event.subject == last and event.data["status"] == "ready":
                break
        chat = await until(engine, chat_id, "idle")
        tasks = await engine.list_tasks(ListQuery())
        return chat, tasks.items

    chat, tasks = survives(tmp_path, before, after, model=answers(says("Hello!"), says("Hello again!")))
    assert [one["status"] for one in chat["chat_messages"]] == ["ready"] * 4
    assert [text_of(one) for one in chat["chat_messages"]][3] == "Hello again!"
    of_messages = [task["metadata"]["chat_message_id"] for task in tasks]
    assert sorted(of_messages) == sorted(one["id"] for one in chat["chat_messages"][1::2])


class Slow:
    """Tools that never end by themselves; those of the type `app` can be asked again."""

    def __init__(self, services):
        pass

    async def offered(self, tool):
        return Offered(tool.name, "", {"type": "object"})

    async def run(self, invocation, started):
        if invocation.execution_id is not None:
            return ToolOutcome(text=f"found {invocation.execution_id} again")
        if invocation.tool.type == "app":
            await started("t1")
        return await asyncio.Event().wait()

    async def close(self):
        pass


class SlowTools:
    @hookimpl(tryfirst=True)
    def inferencesh_tool_runner(self):
        return Slow


SLOW = {
    **AGENT,
    "tools": [
        {"name": "render", "type": "app", "app": {"ref": "a/b"}},
        {"name": "post", "type": "http", "http": {"url": "http://x"}},
    ],
}


def test_a_tool_that_ran_is_asked_for_its_result_and_never_run_twice(tmp_path):
    async def before(engine, _workers):
        sent = await engine.agents.chats.run({"agent_config": SLOW, "input": {"text": "Go"}})
        async for event in engine.agents.chats.follow(sent.live.id):
            made = event.data.get("tool_invocations") or ()
            if [one["status"] for one in made] == ["in_progress"] * 2 and made[0]["execution_id"]:
                return sent.live.id
        raise AssertionError("the stream has ended")

    async def after(engine, chat_id):
        return await until(engine, chat_id, "idle")

    both = says("", calls("render", {}, "a"), calls("post", {}, "b"))
    chat = survives(tmp_path, before, after, model=answers(both, says("Done.")), plugins=[SlowTools()])
    render, post = chat["chat_messages"][1]["tool_invocations"]
    assert (render["status"], render["result"]) == ("completed", "found t1 again")
    assert (post["status"], "was restarted" in post["result"]) == ("failed", True)
    assert text_of(chat["chat_messages"][-1]) == "Done."


def test_a_child_chat_goes_on_and_its_parent_hears_of_it(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "helper.yml").write_text(
        "namespace: acme\nname: helper\ncore_app: local/model\nsystem_prompt: You help.\n"
    )
    boss = {**AGENT, "tools": [{"name": "helper", "type": "agent", "agent": {"ref": "acme/helper"}}]}

    def model(given):
        if given.get("system_prompt") == "You help.":
            return says("helped")
        return says("Fine.") if given["role"] == "tool" else says("", calls("helper", {"message": "do"}))

    async def before(engine, workers):
        sent = await engine.agents.chats.run({"agent_config": boss, "input": {"text": "Go"}})
        async for event in engine.agents.chats.follow(sent.live.id):
            made = event.data.get("tool_invocations")
            if made:
                workers.waits = asyncio.Event()
            if made and made[0]["execution_id"]:
                return sent.live.id
        raise AssertionError("the stream has ended")

    async def after(engine, chat_id):
        chat = await until(engine, chat_id, "idle")
        return chat, engine.store.children_of(chat_id)

    chat, children = survives(tmp_path, before, after, model=model)
    made = invocation(chat, 1)
    assert (made["status"], made["result"], children) == ("completed", "helped", [made["execution_id"]])
