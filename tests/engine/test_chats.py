"""Turns of chats, with a model that says what the test wants and workers in this process."""

import asyncio
import json

import pytest

from inferencesh_engine.agents.tools.runner import Offered, ToolError, ToolOutcome
from inferencesh_engine.domain.idempotency import Idempotency
from inferencesh_engine.domain.listing import ListQuery
from inferencesh_engine.domain.problems import Problem
from inferencesh_engine.plugins import hookimpl
from inline_model import (
    AGENT,
    answers,
    calls,
    chatting,
    client_tool,
    error_of,
    says,
    text_of,
    told,
    until,
)

CITY = {"city": {"type": "string"}}
WEATHER = {**AGENT, "tools": [client_tool("get_weather", CITY)]}
ASKS = says("Let me look.", calls("get_weather", {"city": "Oslo"}))


def in_engine(model, *, plugins=(), **config):
    """Run an async test; it gets a started engine with this model, and the model's workers."""

    def decorate(test):
        def run(tmp_path):
            async def inside():
                async with chatting(tmp_path, model(), plugins=plugins, **config) as (engine, workers):
                    await asyncio.wait_for(test(engine, workers), 30)

            asyncio.run(inside())

        run.__name__ = test.__name__
        return run

    return decorate


async def refused(doing):
    with pytest.raises(Problem) as caught:
        await doing
    return caught.value


def invocations(chat, message=-1):
    return chat["chat_messages"][message]["tool_invocations"]


async def seen(engine, chat_id, *, until_status="idle"):
    """What a stream shows from now on until the chat has this status, as (status, text) of each line."""
    lines = []
    async for event in engine.agents.chats.follow(chat_id):
        lines.append(
            (event.name, event.data["status"], text_of(event.data) if "content" in event.data else "")
        )
        if lines[-1][:2] == ("chats", until_status):
            return lines
    return lines


@in_engine(lambda: answers(says("Hello!")))
async def test_a_message_is_answered(engine, workers):
    chat = await told(engine, "Hi")
    user, answer = chat["chat_messages"]
    assert [user["role"], answer["role"]] == ["user", "assistant"]
    assert [user["order"], answer["order"]] == [0, 1]
    assert (answer["status"], text_of(answer)) == ("ready", "Hello!")
    assert (await engine.task(answer["task_id"]))["output"] == says("Hello!")
    assert workers.inputs == [{"context": [], "role": "user", "text": "Hi"}]


@in_engine(lambda: answers(says("Hello!")))
async def test_the_chat_is_busy_on_disk_before_the_answer_leaves(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "Hi"}})
    assert engine.store.chat(sent.live.id).chat.status == "busy"
    assert sent.dto["assistant_message"]["status"] == "pending"
    workers.waits.set()
    chat = await until(engine, sent.live.id, "idle")
    assert chat["chat_messages"][-1]["id"] == sent.dto["assistant_message"]["id"]


@in_engine(lambda: answers([{"response": "He"}, {"response": "Hello"}, says("Hello!")]))
async def test_text_is_shown_while_it_is_written_and_idle_comes_last(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "Hi"}})
    lines = []
    async for event in engine.agents.chats.follow(sent.live.id):
        lines.append(
            (event.name, event.data["status"], text_of(event.data) if "content" in event.data else "")
        )
        if lines[-1][2] == "Hello":
            workers.waits.set()
        if lines[-1][:2] == ("chats", "idle"):
            break
    assert ("chat_messages", "pending", "Hello") in lines
    assert lines[-2:] == [("chat_messages", "ready", "Hello!"), ("chats", "idle", "")]
    assert next(line for line in lines if line[0] == "chats") == ("chats", "busy", "")


@in_engine(lambda: answers(says("Blue.", reasoning="The sky is meant.", images=["http://x/y.png"])))
async def test_reasoning_and_images_are_parts_of_their_own(engine, workers):
    parts = (await told(engine, "Colour?"))["chat_messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["reasoning", "text", "image"]
    assert (parts[0]["text"], parts[2]["image"]) == ("The sky is meant.", "http://x/y.png")


@in_engine(lambda: answers(ASKS, says("Four degrees.")))
async def test_a_client_tool_waits_for_its_result_and_the_model_gets_it(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER, status="awaiting_input")
    (call,) = invocations(chat)
    assert (call["type"], call["status"], call["tool_invocation_id"]) == (
        "client",
        "awaiting_input",
        "call_1",
    )
    assert call["function"] == {"name": "get_weather", "arguments": {"city": "Oslo"}}
    done = await engine.agents.decisions.submit(call["id"], {"result": '{"temp": 4}'})
    assert (done["status"], done["result"]) == ("completed", '{"temp": 4}')
    chat = await until(engine, chat["id"], "idle")
    assert text_of(chat["chat_messages"][-1]) == "Four degrees."
    given = workers.inputs[-1]
    assert (given["role"], given["text"], given["tool_call_id"]) == ("tool", '{"temp": 4}', "call_1")
    assert given["context"][-1]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert workers.inputs[0]["tools"][0]["function"]["parameters"]["required"] == ["city"]


@in_engine(lambda: answers(ASKS, says("Four degrees.")))
async def test_a_turn_with_a_tool_is_told_in_the_documented_order(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER, status="awaiting_input")
    watching = asyncio.ensure_future(seen(engine, chat["id"]))
    await asyncio.sleep(0)
    await engine.agents.decisions.submit(invocations(chat)[0]["id"], {"result": "4"})
    lines = await watching
    assert lines[:4] == [
        ("chat_messages", "ready", "Let me look."),
        ("chats", "awaiting_input", ""),
        ("chats", "busy", ""),
        ("chat_messages", "ready", "Let me look."),
    ]
    assert lines[-2:] == [("chat_messages", "ready", "Four degrees."), ("chats", "idle", "")]


@in_engine(lambda: answers(ASKS, says("Thanks.")))
async def test_a_second_result_is_refused_and_an_unknown_invocation_is_a_404(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER, status="awaiting_input")
    call = invocations(chat)[0]["id"]
    decisions = engine.agents.decisions
    await decisions.submit(call, {"result": "4"})
    assert (await refused(decisions.submit(call, {"result": "5"}))).status == 409
    assert (await refused(decisions.submit("nope", {"result": "5"}))).status == 404
    assert (await refused(decisions.approve(call, {}))).status == 409


@in_engine(lambda: answers(ASKS, says("Thanks.")), max_tool_result_bytes=10)
async def test_results_are_texts_or_actions_up_to_their_limit(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER, status="awaiting_input")
    call, decisions = invocations(chat)[0]["id"], engine.agents.decisions
    assert (await refused(decisions.submit(call, {"result": "x" * 11}))).status == 413
    assert (await refused(decisions.submit(call, {}))).status == 422
    assert (await decisions.submit(call, {"result": [1, 2]}))["result"] == "[1, 2]"


@in_engine(lambda: answers(ASKS, says("Done.")))
async def test_the_action_of_a_widget_becomes_json(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER, status="awaiting_input")
    action = {"action": {"type": "save"}, "form_data": {"a": 1}}
    done = await engine.agents.decisions.submit(invocations(chat)[0]["id"], action)
    assert json.loads(done["result"]) == action


@in_engine(
    lambda: answers(
        says(
            "",
            calls("get_weather", "{not json", "a"),
            calls("get_weather", {"town": 1}, "b"),
            calls("get_whether", {}, "c"),
        ),
        says("Sorry."),
    )
)
async def test_calls_that_cannot_be_run_tell_the_model_why(engine, workers):
    chat = await told(engine, "Weather?", agent=WEATHER)
    failed = invocations(chat, 1)
    assert [call["status"] for call in failed] == ["failed"] * 3
    assert "one JSON object" in failed[0]["result"]
    assert "'city' is a required property" in failed[1]["result"]
    assert failed[2]["result"] == "there is no tool 'get_whether'; there are: get_weather"
    assert [entry["tool_call_id"] for entry in workers.inputs[-1]["context"][2:]] == ["a", "b"]
    assert failed[0]["function"]["arguments"] == {}


APPROVED = {**AGENT, "tools": [client_tool("send", CITY, require_approval=True)]}
SENDS = says("", calls("send", {"city": "Oslo"}))


@in_engine(lambda: answers(SENDS, says("Sent.")))
async def test_an_approved_call_runs_with_the_arguments_shown(engine, workers):
    chat = await told(engine, "Send", agent=APPROVED, status="awaiting_input")
    (call,) = invocations(chat)
    assert call["status"] == "awaiting_approval"
    decisions = engine.agents.decisions
    assert (await refused(decisions.approve(call["id"], {"arguments": {"city": "Rome"}}))).status == 409
    assert (await refused(decisions.submit(call["id"], {"result": "x"}))).status == 409
    await decisions.approve(call["id"], {"arguments": {"city": "Oslo"}})
    chat = await until(engine, chat["id"], "awaiting_input")
    await decisions.submit(call["id"], {"result": "ok"})
    assert text_of((await until(engine, chat["id"], "idle"))["chat_messages"][-1]) == "Sent."


@in_engine(lambda: answers(SENDS, says("As you wish.")))
async def test_a_rejection_reaches_the_model_with_its_reason(engine, workers):
    chat = await told(engine, "Send", agent=APPROVED, status="awaiting_input")
    done = await engine.agents.decisions.reject(invocations(chat)[0]["id"], {"reason": "too late"})
    assert (done["status"], done["result"]) == ("failed", "rejected by the user: too late")
    await until(engine, chat["id"], "idle")
    assert workers.inputs[-1]["text"] == "rejected by the user: too late"


@in_engine(lambda: answers(SENDS, SENDS, says("Sent.")))
async def test_a_tool_that_is_always_allowed_is_not_asked_for_again(engine, workers):
    chat = await told(engine, "Send", agent=APPROVED, status="awaiting_input")
    first, decisions = invocations(chat)[0]["id"], engine.agents.decisions
    assert (await refused(decisions.always_allow("other", first, {}))).status == 404
    wrong = decisions.always_allow(chat["id"], first, {"tool_name": "else"})
    assert (await refused(wrong)).status == 409
    await decisions.always_allow(chat["id"], first, {"tool_name": "send"})
    await until(engine, chat["id"], "awaiting_input")
    await decisions.submit(first, {"result": "ok"})
    async for _ in engine.agents.chats.follow(chat["id"]):
        chat = engine.agents.chats.get(chat["id"])
        if chat["status"] == "awaiting_input" and len(chat["chat_messages"]) == 3:
            break
    assert chat["agent_data"]["always_allowed_tools"] == ["send"]
    (second,) = invocations(chat)
    assert second["status"] == "awaiting_input"
    await engine.agents.chats.stop(chat["id"])
    # Another agent's tool of that name may do anything.
    chat = await engine.agents.chats.switch_agent(chat["id"], {"agent_config": AGENT})
    assert chat["agent_data"]["always_allowed_tools"] == []


class Runner:
    """Tools of the type `test`, which do what their name says."""

    def __init__(self, services):
        self.services = services

    async def offered(self, tool):
        if tool.name == "gone":
            raise ToolError("the server is away")
        return Offered(tool.name, "", {"type": "object"})

    async def run(self, invocation, started):
        await started(f"run of {invocation.name}")
        if invocation.name == "hang":
            await asyncio.Event().wait()
        if invocation.name == "refuse":
            raise ToolError("no more paper")
        if invocation.name == "break":
            raise RuntimeError("a defect")
        if invocation.name == "flood":
            return ToolOutcome(text="x" * 2_000_000)
        if invocation.name == "ask":
            return ToolOutcome(text="", widget={"interactive": True}, awaits_input=True)
        return ToolOutcome(text="fine", data={"n": 1})

    async def close(self):
        pass


class TestTools:
    """The plugin that brings them."""

    __test__ = False

    @hookimpl
    def inferencesh_tool_runner(self, tool):
        return Runner if tool.type == "test" else None


def test_tools(*names):
    return {**AGENT, "tools": [{"name": name, "type": "test", "test": {}} for name in names]}


test_tools.__test__ = False


def call_each(*names):
    return says("", *(calls(name, {}, f"call_{name}") for name in names))


@in_engine(
    lambda: answers(call_each("refuse", "break", "flood", "work"), says("Done.")), plugins=[TestTools()]
)
async def test_one_broken_tool_does_not_stop_the_others(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("refuse", "break", "flood", "work", "gone"))
    refuse, broken, flood, work = invocations(chat, 1)
    assert (refuse["status"], refuse["result"]) == ("failed", "no more paper")
    assert (broken["status"], "a defect" in broken["result"]) == ("failed", False)
    assert (flood["status"], "2000000 bytes" in flood["result"]) == ("failed", True)
    assert (work["status"], work["result"], work["data"]) == ("completed", "fine", {"n": 1})
    assert work["execution_id"] == "run of work"
    assert text_of(chat["chat_messages"][-1]) == "Done."


@in_engine(lambda: answers(call_each("work"), says("Done.")), plugins=[TestTools()])
async def test_a_tool_that_cannot_be_offered_is_left_out(engine, workers):
    await told(engine, "Go", agent=test_tools("work", "gone"))
    assert [tool["function"]["name"] for tool in workers.inputs[0]["tools"]] == ["work"]


@in_engine(lambda: answers(call_each("ask"), says("Done.")), plugins=[TestTools()])
async def test_an_interactive_widget_waits_for_its_answer(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("ask"), status="awaiting_input")
    (call,) = invocations(chat)
    assert (call["status"], call["widget"]) == ("awaiting_input", {"interactive": True})
    await engine.agents.decisions.submit(call["id"], {"action": {"type": "ok"}})
    assert text_of((await until(engine, chat["id"], "idle"))["chat_messages"][-1]) == "Done."


@in_engine(lambda: answers(call_each("work")), plugins=[TestTools()], max_turn_steps=3)
async def test_a_model_that_loops_ends_with_a_message_that_says_the_limit(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("work"))
    last = chat["chat_messages"][-1]
    assert last["status"] == "failed"
    assert "3 times" in error_of(last)
    assert "max_turn_steps" in error_of(last)
    assert len(workers.inputs) == 3


@in_engine(lambda: answers(call_each("work")), plugins=[TestTools()])
async def test_the_limit_that_an_agent_sets_itself_is_named_as_it_is_there(engine, workers):
    chat = await told(engine, "Go", agent={**test_tools("work"), "max_tool_iterations": 2})
    assert "2 times, which is its limit (the agent's max_tool_iterations)" in error_of(
        chat["chat_messages"][-1]
    )


@in_engine(lambda: answers(call_each("work")), plugins=[TestTools()])
async def test_an_agent_may_set_itself_a_lower_limit(engine, workers):
    await told(engine, "Go", agent={**test_tools("work"), "max_tool_iterations": 2})
    assert len(workers.inputs) == 2


@in_engine(
    lambda: answers({**call_each("work"), "usage": {"total_tokens": 60}}),
    plugins=[TestTools()],
    max_turn_tokens=100,
)
async def test_a_turn_ends_at_its_limit_of_tokens(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("work"))
    assert "120 of 100 tokens" in error_of(chat["chat_messages"][-1])
    assert len(workers.inputs) == 2


@in_engine(lambda: answers(call_each("hang"), says("Tired.")), plugins=[TestTools()], max_turn_seconds=0.3)
async def test_a_tool_that_hangs_is_stopped_at_the_limit_of_time(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("hang"))
    (call,) = invocations(chat, 1)
    assert (call["status"], "max_turn_seconds" in call["result"]) == ("failed", True)
    assert "max_turn_seconds" in error_of(chat["chat_messages"][-1])


@in_engine(lambda: answers(says("late")), max_turn_seconds=0.2)
async def test_a_model_that_hangs_is_stopped_at_the_limit_of_time(engine, workers):
    workers.waits = asyncio.Event()
    chat = await told(engine, "Go")
    last = chat["chat_messages"][-1]
    assert "max_turn_seconds" in error_of(last)
    assert (await engine.wait(last["task_id"]))["status"] == 12


@in_engine(
    lambda: answers(call_each("work", "work", "work"), says("Done.")),
    plugins=[TestTools()],
    max_tool_calls_at_once=2,
)
async def test_too_many_calls_at_once_are_not_run(engine, workers):
    chat = await told(engine, "Go", agent=test_tools("work"))
    assert [call["status"] for call in invocations(chat, 1)] == ["completed", "completed", "failed"]


def failing(_given):
    raise ValueError("out of memory")


@in_engine(lambda: failing)
async def test_a_model_that_fails_gives_a_failed_message(engine, workers):
    chat = await told(engine, "Hi")
    last = chat["chat_messages"][-1]
    assert last["status"] == "failed"
    assert "out of memory" in error_of(last)


@in_engine(lambda: answers({"picture": 1}))
async def test_an_app_that_is_no_model_is_told_so(engine, workers):
    chat = await told(engine, "Hi")
    assert "is it a language model app" in error_of(chat["chat_messages"][-1])


@in_engine(lambda: answers(says("never")))
async def test_stopping_cancels_the_model_and_what_waits(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "Hi"}})
    await workers.hanging.wait()
    queued = await engine.agents.chats.run({"chat_id": sent.live.id, "input": {"text": "Well?"}})
    assert queued.dto["assistant_message"]["status"] == "queued"
    first, second = await asyncio.gather(*(engine.agents.chats.stop(sent.live.id) for _ in range(2)))
    assert (first["status"], second["status"]) == ("idle", "idle")
    chat = engine.agents.chats.get(sent.live.id)
    assert [one["status"] for one in chat["chat_messages"]] == [
        "ready",
        "cancelled",
        "cancelled",
        "cancelled",
    ]
    assert (await engine.task(chat["chat_messages"][1]["task_id"]))["status"] == 12
    assert (await engine.agents.chats.stop(chat["id"]))["status"] == "idle"


@in_engine(lambda: answers(call_each("hang", "send"), says("Again.")), plugins=[TestTools()])
async def test_stopping_cancels_tools_and_the_chat_goes_on_after_it(engine, workers):
    agent = {**AGENT, "tools": [*test_tools("hang")["tools"], client_tool("send")]}
    sent = await engine.agents.chats.run({"agent_config": agent, "input": {"text": "Go"}})
    async for event in engine.agents.chats.follow(sent.live.id):
        if any(call["execution_id"] for call in event.data.get("tool_invocations", ())):
            break
    await engine.agents.chats.stop(sent.live.id)
    chat = engine.agents.chats.get(sent.live.id)
    assert [call["status"] for call in invocations(chat)] == ["cancelled", "cancelled"]
    chat = await told(engine, "Hello?", chat_id=chat["id"])
    assert text_of(chat["chat_messages"][-1]) == "Again."
    assert [entry["role"] for entry in workers.inputs[-1]["context"]] == ["user", "assistant", "tool", "tool"]


@in_engine(lambda: answers(says("One."), says("Two.")))
async def test_a_message_to_a_busy_chat_waits_for_its_turn(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "1"}})
    second = await engine.agents.chats.run({"chat_id": sent.live.id, "input": {"text": "2"}})
    third = await engine.agents.chats.run({"chat_id": sent.live.id, "input": {"text": "3"}})
    await engine.agents.chats.cancel_message(third.user.id)
    workers.waits.set()
    async for event in engine.agents.chats.follow(sent.live.id):
        if event.subject == second.answer.id and event.data["status"] == "ready":
            break
    chat = await until(engine, sent.live.id, "idle")
    texts = [text_of(one) for one in chat["chat_messages"] if one["status"] == "ready"]
    assert texts == ["1", "One.", "2", "Two."]
    problem = await refused(engine.agents.chats.cancel_message(second.user.id))
    assert (problem.status, problem.code) == (409, "message_not_queued")


@in_engine(lambda: answers(says("One.")), max_queued_messages=1)
async def test_only_so_many_messages_may_wait(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "1"}})
    more = {"chat_id": sent.live.id, "input": {"text": "2"}}
    await engine.agents.chats.run(more)
    assert (await refused(engine.agents.chats.run(more))).status == 429


@in_engine(lambda: answers(says("One.")), max_chat_messages=3)
async def test_a_full_chat_takes_no_more(engine, workers):
    chat = await told(engine, "1")
    problem = await refused(engine.agents.chats.run({"chat_id": chat["id"], "input": {"text": "2"}}))
    assert (problem.status, problem.code) == (409, "chat_full")


FINISHES = {
    **AGENT,
    "output_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
}


@in_engine(lambda: answers(says("", calls("finish", {"n": "x"})), says("", calls("finish", {"n": 3}))))
async def test_finish_gives_the_output_when_it_fits_the_schema(engine, workers):
    chat = await told(engine, "Count", agent=FINISHES, status="completed")
    assert chat["output"] == {"n": 3}
    wrong, right = invocations(chat, 1)[0], invocations(chat, 2)[0]
    assert (wrong["status"], right["status"]) == ("failed", "completed")
    assert "'x' is not of type 'integer'" in wrong["result"]


@in_engine(lambda: answers(says("", calls("finish", {"n": 3})), says("Well.")))
async def test_the_output_is_that_of_the_newest_turn(engine, workers):
    chat = await told(engine, "Count", agent=FINISHES, status="completed")
    chat = await told(engine, "And?", chat_id=chat["id"])
    assert (chat["output"], text_of(chat["chat_messages"][-1])) == (None, "Well.")


MEMORY = {**AGENT, "internal_tools": {"memory": True}}


@in_engine(lambda: answers(says("", calls("memory_set", {"key": "a", "value": "1"})), says("Noted.")))
async def test_what_an_agent_remembers_is_kept_with_the_chat(engine, workers):
    chat = await told(engine, "Note", agent=MEMORY)
    assert chat["agent_data"]["memory"] == {"a": "1"}
    assert engine.store.chat(chat["id"]).chat.data["memory"] == {"a": "1"}


@in_engine(lambda: answers(says("Hello!")))
async def test_one_key_is_one_message(engine, workers):
    body = {"agent_config": AGENT, "input": {"text": "Hi"}}
    key = Idempotency("k", "me:agents/run", "f")
    first = await engine.agents.chats.run(body, idempotency=key)
    await until(engine, first.live.id, "idle")
    again = await engine.agents.chats.run(body, idempotency=key)
    assert (again.replayed, again.dto) == (True, first.dto)
    assert len(workers.inputs) == 1
    other = Idempotency("k", "me:agents/run", "g")
    assert (await refused(engine.agents.chats.run(body, idempotency=other))).status == 422
    await engine.agents.chats.delete(first.live.id)
    assert (await refused(engine.agents.chats.run(body, idempotency=key))).status == 410


@in_engine(lambda: answers(says("Hello!")))
async def test_context_is_fixed_when_the_chat_begins_and_required_variables_are(engine, workers):
    variables = [{"name": "tenant", "required": True}, {"name": "lang", "default": "en"}]
    agent = {**AGENT, "context": variables}
    body = {"agent_config": agent, "input": {"text": "Hi"}}
    problem = await refused(engine.agents.chats.run(body))
    assert (problem.status, problem.extra["missing"]) == (400, ["tenant"])
    assert (await refused(engine.agents.chats.run({**body, "context": {"tenant": 1}}))).status == 422
    chat = await told(engine, "Hi", agent=agent, context={"tenant": "acme"})
    assert chat["context"] == {"tenant": "acme", "lang": "en"}
    chat = await told(engine, "Hi", chat_id=chat["id"], context={"tenant": "other"})
    assert chat["context"]["tenant"] == "acme"


@in_engine(lambda: answers(says("Hello!")))
async def test_what_is_not_there_is_refused_before_anything_is_stored(engine, workers):
    run = engine.agents.chats.run
    unknown_app = {"core_app": {"ref": "local/modle"}}
    problem = await refused(run({"agent_config": unknown_app, "input": {"text": "Hi"}}))
    assert (problem.status, "local/model" in problem.detail) == (404, True)
    assert (await refused(run({"agent": "acme/helper", "input": {"text": "Hi"}}))).status == 404
    assert (await refused(run({"agent_id": "nope", "input": {"text": "Hi"}}))).status == 404
    assert (await refused(run({"chat_id": "nope", "input": {"text": "Hi"}}))).status == 404
    assert (await refused(run({"input": {"text": "Hi"}}))).status == 422
    assert engine.store.unfinished_chats() == []


@in_engine(lambda: answers(says("Hello!")))
async def test_a_file_of_the_engine_s_own_machine_is_refused(engine, workers):
    attachment = {"path": "/etc/passwd", "uri": "file:///etc/passwd"}
    body = {"agent_config": AGENT, "input": {"text": "Hi", "attachments": [attachment]}}
    assert (await refused(engine.agents.chats.run(body))).status == 422


@in_engine(lambda: answers(says("Hello!")))
async def test_settings_are_fitted_to_what_the_model_takes(engine, workers):
    agent = {"core_app": {"ref": "local/model", "input": {"temperature": 1.7, "context_size": 0}}}
    await told(engine, "Hi", agent={**agent, "system_prompt": "Be brief."})
    assert workers.inputs == [
        {"temperature": 1, "system_prompt": "Be brief.", "context": [], "role": "user", "text": "Hi"}
    ]


@in_engine(lambda: answers(says("Hello!")))
async def test_another_agent_may_take_over(engine, workers):
    chat = await told(engine, "Hi")
    other = {**AGENT, "system_prompt": "You are Bob."}
    await engine.agents.chats.switch_agent(chat["id"], {"agent_config": other})
    await told(engine, "Hi", chat_id=chat["id"])
    assert workers.inputs[-1]["system_prompt"] == "You are Bob."


def write_helper(folder):
    (folder / "agents").mkdir()
    (folder / "agents" / "helper.yml").write_text(
        "namespace: acme\nname: helper\ncore_app: local/model\nsystem_prompt: You help.\n"
    )


def parent_and_child(given):
    if given.get("system_prompt") == "You help.":
        return says(f"helped with {given['text']}")
    return says("It said: " + given["text"]) if given["role"] == "tool" else DELEGATES


DELEGATES = says("", calls("helper", {"message": "the task"}))
BOSS = {**AGENT, "tools": [{"name": "helper", "type": "agent", "agent": {"ref": "acme/helper"}}]}


def test_an_agent_as_a_tool_is_a_chat_below(tmp_path):
    write_helper(tmp_path)

    async def inside():
        async with chatting(tmp_path, parent_and_child) as (engine, _):
            chat = await told(engine, "Delegate", agent=BOSS)
            (call,) = invocations(chat, 1)
            child = engine.agents.chats.get(call["execution_id"])
            return chat, call, child, engine.agents.chats.trace(chat["id"])

    chat, call, child, trace = asyncio.run(inside())
    assert (call["status"], call["result"]) == ("completed", "helped with the task")
    assert (child["parent_id"], child["status"]) == (chat["id"], "idle")
    assert child["agent_id"] is not None
    assert [below["id"] for below in trace["children"]] == [child["id"]]
    assert text_of(chat["chat_messages"][-1]) == "It said: helped with the task"


def delegating(helper):
    """A model that is boss and helper; the helper makes its call first, and then repeats what it got."""

    def model(given):
        if given.get("system_prompt") != "You help.":
            return says("It said: " + given["text"]) if given["role"] == "tool" else DELEGATES
        return says("got " + given["text"]) if given["role"] == "tool" else says("", helper)

    return model


def write_helper_with_client_tool(folder, *, require_approval=False):
    write_helper(folder)
    tool = client_tool("look", require_approval=require_approval)
    with (folder / "agents" / "helper.yml").open("a") as file:
        file.write(f"tools: {json.dumps([{name: tool[name] for name in tool if name != 'type'}])}\n")


def test_a_client_tool_below_is_answered_at_once_for_nobody_is_there(tmp_path):
    write_helper_with_client_tool(tmp_path)

    async def inside():
        async with chatting(tmp_path, delegating(calls("look", {}))) as (engine, _):
            chat = await told(engine, "Delegate", agent=BOSS)
            return chat, engine.agents.chats.get(invocations(chat, 1)[0]["execution_id"])

    chat, child = asyncio.run(asyncio.wait_for(inside(), 30))
    (call,) = invocations(child, 1)
    assert (call["type"], call["status"]) == ("client", "completed")
    assert json.loads(call["result"])["status"] == "not_available"
    assert text_of(chat["chat_messages"][-1]).startswith("It said: got {")


def test_an_approval_below_is_logged_and_decided_in_its_chat(tmp_path, caplog):
    write_helper_with_client_tool(tmp_path, require_approval=True)

    async def inside():
        async with chatting(tmp_path, delegating(calls("look", {}))) as (engine, _):
            sent = await engine.agents.chats.run({"agent_config": BOSS, "input": {"text": "Delegate"}})
            async for event in engine.agents.chats.follow(sent.live.id):
                if any(call["execution_id"] for call in event.data.get("tool_invocations", ())):
                    break
            (child_id,) = engine.store.children_of(sent.live.id)
            (call,) = invocations(await until(engine, child_id, "awaiting_input"))
            await engine.agents.decisions.approve(call["id"], {})
            return call, child_id, await until(engine, sent.live.id, "idle")

    call, child_id, chat = asyncio.run(asyncio.wait_for(inside(), 30))
    (told_to_operator,) = [text for text in caplog.messages if "waits for the approval" in text]
    assert "agent acme/helper" in told_to_operator
    assert "its tool look" in told_to_operator
    assert f"in chat {child_id}, below chat {chat['id']}" in told_to_operator
    assert f"POST /tools/{call['id']}/invoke" in told_to_operator
    assert "not_available" in text_of(chat["chat_messages"][-1])


def test_stopping_a_chat_stops_those_below(tmp_path):
    write_helper(tmp_path)

    async def inside():
        async with chatting(tmp_path, parent_and_child) as (engine, workers):
            sent = await engine.agents.chats.run({"agent_config": BOSS, "input": {"text": "Delegate"}})
            async for event in engine.agents.chats.follow(sent.live.id):
                if event.data.get("tool_invocations"):
                    workers.waits = asyncio.Event()
                if any(call["execution_id"] for call in event.data.get("tool_invocations", ())):
                    break
            (child_id,) = engine.store.children_of(sent.live.id)
            await engine.agents.chats.stop(sent.live.id)
            return engine.agents.chats.get(child_id), engine.agents.chats.get(sent.live.id)

    child, chat = asyncio.run(asyncio.wait_for(inside(), 30))
    assert (child["status"], chat["status"]) == ("idle", "idle")
    assert child["chat_messages"][-1]["status"] == "cancelled"
    assert invocations(chat)[0]["status"] == "cancelled"


@in_engine(lambda: answers(says("Hello!")))
async def test_deleting_a_chat_ends_what_it_does_and_who_follows_it(engine, workers):
    workers.waits = asyncio.Event()
    sent = await engine.agents.chats.run({"agent_config": AGENT, "input": {"text": "Hi"}})
    await workers.hanging.wait()
    watching = asyncio.ensure_future(seen(engine, sent.live.id, until_status="never"))
    await asyncio.sleep(0)
    await engine.agents.chats.delete(sent.live.id)
    assert (await watching)[-1] == ("chats", "idle", "")
    assert (await engine.list_tasks(ListQuery())).items[0]["status"] == 12
    assert engine.store.chat(sent.live.id) is None
    for verb in (engine.agents.chats.stop, engine.agents.chats.delete):
        assert (await refused(verb(sent.live.id))).status == 404


@in_engine(lambda: answers(says("Hello!")))
async def test_one_key_is_one_message_in_a_chat_too(engine, workers):
    chat = await told(engine, "Hi")
    key = Idempotency("k", "messages", "f")
    first = await engine.agents.chats.say(chat["id"], "Again", idempotency=key)
    again = await engine.agents.chats.say(chat["id"], "Again", idempotency=key)
    await until(engine, chat["id"], "idle")
    assert (again.replayed, again.user.id) == (True, first.user.id)
    assert len(engine.agents.chats.messages(chat["id"])) == 4


@in_engine(lambda: answers(says("Hello!")), max_chats=2)
async def test_the_oldest_chats_are_forgotten(engine, workers):
    chats = [(await told(engine, f"Chat {number}"))["id"] for number in range(4)]
    await engine._retained.drop()
    kept = (await engine.agents.chats.list(ListQuery())).items
    assert [chat["id"] for chat in kept] == [chats[3], chats[2]]
    assert (await refused(engine.agents.chats.stop(chats[0]))).status == 404


@in_engine(lambda: answers(says("Hello!")))
async def test_a_chat_that_is_stopped_while_a_message_is_being_stored_is_idle(engine, workers):
    chat = await told(engine, "Hi")
    sending = asyncio.ensure_future(
        engine.agents.chats.run({"chat_id": chat["id"], "input": {"text": "More"}})
    )
    await asyncio.sleep(0)
    assert (await engine.agents.chats.stop(chat["id"]))["status"] == "idle"
    await sending
    stored = engine.store.chat(chat["id"])
    assert [one.status.value for one in stored.messages] == ["ready", "ready", "ready", "cancelled"]
    assert stored.chat.status == "idle"
    chat = await told(engine, "And now?", chat_id=chat["id"])
    assert text_of(chat["chat_messages"][-1]) == "Hello!"
