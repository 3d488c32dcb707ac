"""Chats outlive their engine: what waits still waits, and nothing is done twice."""

import asyncio
import sqlite3
from contextlib import closing, contextmanager

import pytest

from inferencesh_engine.agents.tools.runner import Offered, ToolOutcome
from inferencesh_engine.domain.listing import ListQuery
from inferencesh_engine.domain.problems import Problem
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


@contextmanager
def no_writes(engine):
    """Nothing can be written meanwhile: somebody else holds the database."""
    with closing(sqlite3.connect(engine.config.state_path / "engine.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_message_that_cannot_be_stored_is_refused_and_was_never_said(tmp_path):
    async def inside():
        async with chatting(tmp_path, answers(says("One."), says("Two."))) as (engine, workers):
            chat = await told(engine, "1")
            more = {"chat_id": chat["id"], "input": {"text": "2"}}
            with no_writes(engine), pytest.raises(Problem) as caught:
                await engine.agents.chats.run(more)
            assert caught.value.status == 503
            assert engine.agents.chats.get(chat["id"]) == chat
            again = await told(engine, "2", chat_id=chat["id"])
            return [text_of(one) for one in again["chat_messages"]], len(workers.inputs)

    assert asyncio.run(asyncio.wait_for(inside(), 30)) == (["1", "One.", "2", "Two."], 2)


def test_a_turn_waits_while_nothing_can_be_stored(tmp_path):
    async def inside():
        async with chatting(tmp_path, answers(says("One."))) as (engine, workers):
            workers.waits = asyncio.Event()
            sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "1"}})
            await workers.hanging.wait()
            with no_writes(engine):
                workers.waits.set()
                await asyncio.sleep(0.05)
                assert engine.store.chat(sent.live.id).chat.status == "busy"
            return await until(engine, sent.live.id, "idle")

    chat = asyncio.run(asyncio.wait_for(inside(), 30))
    assert text_of(chat["chat_messages"][-1]) == "One."


TWO_TOOLS = {**AGENT, "tools": [client_tool("get_weather", CITY), *SLOW["tools"]]}


class Quick(Slow):
    async def run(self, invocation, started):
        if invocation.execution_id is None and invocation.tool.type == "app":
            await started("t1")
        return ToolOutcome(text=f"{invocation.name} is done")


class QuickTools:
    @hookimpl(tryfirst=True)
    def inferencesh_tool_runner(self):
        return Quick


def one_turn(given):
    results = [entry for entry in given["context"] if entry["role"] == "tool"]
    if given["role"] != "tool":
        asked = (
            calls("get_weather", {"city": "Oslo"}, "a"),
            calls("render", {}, "b"),
            calls("post", {}, "c"),
        )
        return says("Wait.", *asked)
    return says(" ".join([*(entry["text"] for entry in results), given["text"]]))


async def finished(engine, chat_id):
    """The chat when its turn is over, its client tool answered with 4."""
    while (chat := engine.agents.chats.get(chat_id))["status"] != "idle":
        made = [one for message in chat["chat_messages"] for one in message["tool_invocations"]]
        for one in made:
            if one["status"] == "awaiting_input":
                await engine.agents.decisions.submit(one["id"], {"result": "4"})
        await asyncio.sleep(0.01)
    return chat


async def copies_of_a_turn(engine, folder):
    """A copy of the database after each change of a turn, as files, and the chat's id."""
    source = engine.config.state_path / "engine.db"
    sent = await engine.agents.chats.run({"agent_config": TWO_TOOLS, "input": {"text": "Go"}})
    finishing = asyncio.ensure_future(finished(engine, sent.live.id))
    copies = []
    async for event in engine.agents.chats.follow(sent.live.id):
        copies.append(folder / f"copy{len(copies)}.db")
        with closing(sqlite3.connect(source)) as now, closing(sqlite3.connect(copies[-1])) as copy:
            now.backup(copy)
        if event.data["status"] == "idle":
            break
    await finishing
    return sent.live.id, copies


def test_a_turn_goes_on_from_every_state_it_was_ever_stored_in(tmp_path):
    served, kept = tmp_path / "served", tmp_path / "kept"
    served.mkdir()
    kept.mkdir()

    async def taken_up(copy, chat_id):
        state = tmp_path / copy.stem
        state.mkdir()
        copy.rename(state / "engine.db")
        async with chatting(served, one_turn, plugins=[QuickTools()], state_dir=state) as (engine, _):
            return await finished(engine, chat_id), (await engine.list_tasks(ListQuery())).items

    async def inside():
        async with chatting(served, one_turn, plugins=[QuickTools()]) as (engine, _):
            chat_id, copies = await copies_of_a_turn(engine, kept)
        for copy in copies:
            chat, tasks = await taken_up(copy, chat_id)
            assert [one["status"] for one in chat["chat_messages"]] == ["ready"] * 3
            render, post = chat["chat_messages"][1]["tool_invocations"][1:]
            assert (render["status"], render["result"]) == ("completed", "render is done")
            assert post["status"] == "completed" or "was restarted" in post["result"]
            assert len({task["metadata"]["chat_message_id"] for task in tasks}) == len(tasks) == 2
        return len(copies)

    assert asyncio.run(asyncio.wait_for(inside(), 60)) > 5
