"""Agents of both clients on a real engine, with the model that ships with it."""

import asyncio
from threading import Barrier, Event, Thread

import pytest
from pydantic import BaseModel

from inferencesh_agents import (
    AgentAPIError,
    ApprovalRequest,
    ChatNotFoundError,
    Rejection,
    TextDelta,
    ToolCalled,
    ToolReturned,
    TurnCancelledError,
    TurnDone,
    TurnFailedError,
    TurnTimeoutError,
    function_tool,
    string,
    tool,
)
from inferencesh_async import async_inference
from inferencesh_core import inference
from serving import write_apps

MODEL = {"core_app": {"ref": "inferencesh/scripted"}}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return f"local:{write_apps(tmp_path_factory.mktemp('agents') / 'apps')}"


@pytest.fixture(scope="module")
def client(address):
    with inference(base_url=address) as client:
        yield client


def get_weather(city: str) -> dict[str, object]:
    """Get the current weather.

    Args:
        city: Where.
    """
    return {"city": city, "temp": 4}


def remove(target: str) -> str:
    """Remove a target for good."""
    return f"removed {target}"


def scripted(*steps):
    return {"core_app": {"ref": "inferencesh/scripted", "setup": {"script": list(steps)}}}


def text_of(message):
    return "".join(part["text"] or "" for part in message["content"] if part["type"] == "text")


def test_a_plain_function_is_called_and_its_result_answered_with(client):
    agent = client.agents.create({**MODEL, "tools": [get_weather]})
    told = []
    message = agent.send_message("What is the weather in Paris?", on_tool_call=told.append)
    assert message["status"] == "ready"
    assert '"temp": 4' in text_of(message)
    assert [(call.name, call.args) for call in told] == [("get_weather", {"city": "Paris"})]
    assert agent.get_chat()["status"] == "idle"


def test_tools_of_one_message_run_at_once(client):
    together = Barrier(2, timeout=20)

    def meet(args):
        together.wait()
        return args["name"]

    meeting = tool("meet").param("name", string()).handler(meet)
    both = [{"tool": "meet", "with": {"name": each}} for each in ("Ann", "Bob")]
    agent = client.agents.create({**scripted({"calls": both}, {"say": "both came"}), "tools": [meeting]})
    assert text_of(agent.send_message("meet")) == "both came"


def test_a_turn_piece_by_piece(client):
    agent = client.agents.create({**MODEL, "tools": [get_weather]})
    pieces = list(agent.stream("What is the weather in Rome?"))
    (called,) = [each for each in pieces if isinstance(each, ToolCalled)]
    (returned,) = [each for each in pieces if isinstance(each, ToolReturned)]
    assert called.args == {"city": "Rome"}
    assert (returned.id, returned.status) == (called.id, "completed")
    last = pieces[-1]
    assert isinstance(last, TurnDone)
    texts = [each for each in pieces if isinstance(each, TextDelta)]
    own = [each.text for each in texts if each.message_id == last.message["id"]]
    assert "".join(own) == text_of(last.message)


def test_a_person_decides(client):
    agent = client.agents.create({**MODEL, "tools": [function_tool(remove, require_approval=True)]})
    shown = []

    def decide(decision):
        def on_approval(request: ApprovalRequest):
            shown.append(request.args)
            return decision

        return on_approval

    said = [
        text_of(agent.send_message(f"Remove the target '{name}'", on_approval=decide(decision)))
        for name, decision in [("a", True), ("b", Rejection("too risky")), ("c", "always"), ("d", False)]
    ]
    assert ["removed a" in said[0], "too risky" in said[1], "removed c" in said[2]] == [True] * 3
    assert "removed d" in said[3]
    assert shown == [{"target": each} for each in "abc"]


def test_an_approval_is_for_what_was_shown(client):
    agent = client.agents.create({**MODEL, "tools": [function_tool(remove, require_approval=True)]})
    for piece in agent.stream("Remove the target 'x'"):
        if isinstance(piece, ApprovalRequest):
            with pytest.raises(AgentAPIError, match="409"):
                agent.approve_tool(piece.id, {"target": "y"})
            agent.approve_tool(piece.id, piece.args)
    assert "removed x" in text_of(piece.message)


class Person(BaseModel):
    name: str
    age: int


def test_an_output_has_its_type(client):
    agent = client.agents.create(MODEL)
    assert agent.run("Extract: Ada is 36 years old", output_type=Person) == Person(name="Ada", age=36)


def test_a_waiting_call_is_answered_by_another_process(client, address):
    agent = client.agents.create({**MODEL, "tools": [tool("get_weather").param("city", string())]})
    with pytest.raises(TurnTimeoutError):
        agent.send_message("What is the weather in Oslo?", on_tool_call=lambda _call: None, timeout=0.5)
    with inference(base_url=address) as other:
        heir = other.agent({**MODEL, "tools": [get_weather]}, chat_id=agent.chat_id)
        told = []
        heir.stream_all(on_message=told.append)
        assert '"temp": 4' in text_of(told[-1])


def test_a_result_is_taken_once_and_from_those_it_concerns(client):
    agent = client.agents.create({**MODEL, "tools": [tool("get_weather").param("city", string())]})
    calls = []
    with pytest.raises(TurnTimeoutError):
        agent.send_message("What is the weather in Oslo?", on_tool_call=calls.append, timeout=0.5)
    agent.submit_tool_result(calls[0].id, "sunny")
    with pytest.raises(AgentAPIError, match="409"):
        agent.submit_tool_result(calls[0].id, "rainy")
    with pytest.raises(AgentAPIError, match="404"):
        agent.submit_tool_result("no-such-call", "sunny")
    with pytest.raises(ChatNotFoundError):
        agent.get_chat("no-such-chat")


def test_a_model_that_says_something_long_can_be_stopped(client):
    agent = client.agents.create(scripted({"say": "word " * 500, "chunks": 500, "pause_seconds": 0.05}))
    for piece in agent.stream("talk"):
        if isinstance(piece, TextDelta):
            agent.stop_chat()
    assert piece.message["status"] == "cancelled"
    with pytest.raises(TurnFailedError, match="out of memory") as caught:
        client.agents.create(scripted({"fail": "out of memory"})).run("talk")
    assert caught.value.chat["status"] == "idle"


def test_stopping_ends_the_wait(client):
    agent = client.agents.create({**MODEL, "tools": [tool("get_weather").param("city", string())]})
    stopping = []

    def on_tool_call(_call):
        stopping.append(Thread(target=agent.stop_chat))
        stopping[-1].start()

    message = agent.send_message("What is the weather in Oslo?", on_tool_call=on_tool_call)
    stopping[0].join()
    assert message["tool_invocations"][0]["status"] == "cancelled"
    with pytest.raises(TurnCancelledError, match="the turn was stopped"):
        agent.run("What is the weather in Oslo?", on_tool_call=on_tool_call)
    stopping[1].join()


def test_files_reach_the_model(client):
    agent = client.agents.create(MODEL)
    message = agent.send_message("Look", files=[b"hello", "data:text/plain;charset=utf-8;base64,aGk="])
    assert "file" in text_of(message)


def test_a_tool_the_engine_cannot_offer_is_logged_once_for_the_caller(client, caplog):
    lacking = {"name": "gone", "type": "mcp", "mcp": {"integration_id": "nowhere", "tool_name": "x"}}
    agent = client.agent({**scripted({"say": "Hello", "chunks": 3}), "tools": [lacking]})
    agent.run("Hi")
    logged = [each for each in caplog.messages if each.startswith(f"chat {agent.chat_id}: tool gone is not")]
    assert len(logged) == 1
    assert "MCP server 'nowhere' is not connected" in logged[0]


def test_an_unknown_agent_is_told_with_those_there_are(client):
    with pytest.raises(AgentAPIError, match="404"):
        client.agents.create("no/such").send_message("hi")


def test_all_of_it_asynchronously(address):
    async def slowly(args):
        await asyncio.sleep(0)
        return args["city"].upper()

    async def main():
        async with async_inference(base_url=address) as client:
            tools = [tool("get_weather").param("city", string()).handler(slowly)]
            agent = client.agents.create({**MODEL, "tools": tools})
            message = await agent.send_message("What is the weather in Paris?")
            pieces = [type(each) async for each in agent.stream("Hello there")]
            seen = [each["status"] async for each in agent.stream_messages()]
            typed = await client.agents.create(MODEL).run("Extract: Bob is 5 years old", Person)
            return text_of(message), pieces[-1], seen, typed

    text, last, seen, typed = asyncio.run(main())
    assert "PARIS" in text
    assert last is TurnDone
    assert seen == ["ready"]
    assert typed == Person(name="Bob", age=5)


def test_a_tool_may_have_a_parameter_that_is_named_like_a_part_of_a_file(client, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("for nobody")

    def read(path: str) -> str:
        """Read a note."""
        return f"{path} was read"

    script = [{"call": "read", "with": {"path": str(secret)}}, {"say": "done"}]
    agent = client.agents.create({**scripted(*script), "tools": [read]})
    seen = []
    message = agent.send_message("read it", on_tool_call=lambda call: seen.append(call.args))
    assert (text_of(message), seen) == ("done", [{"path": str(secret)}])


def test_a_handler_runs_once_though_two_agents_of_the_client_follow_the_chat(client):
    begun, seen, free, runs = Event(), Event(), Event(), []

    def work(args):
        runs.append(args)
        begun.set()
        assert free.wait(20)
        return "done"

    config = {**scripted({"call": "work"}, {"say": "over"}), "tools": [tool("work").handler(work)]}
    first = client.agents.create(config)
    sending = Thread(target=first.send_message, args=("go",))
    sending.start()
    assert begun.wait(20)
    second = client.agent(config, chat_id=first.chat_id)
    watching = Thread(target=second.stream_all, kwargs={"on_message": lambda _message: seen.set()})
    watching.start()
    assert seen.wait(20)
    free.set()
    sending.join(20)
    watching.join(20)
    assert len(runs) == 1


def test_whoever_sent_first_gets_the_first_answer_though_another_message_waits(client):
    begun, free, given = Event(), Event(), []

    def work(_args):
        begun.set()
        assert free.wait(20)
        return "done"

    steps = ({"call": "work"}, {"say": "the first answer"}, {"say": "the second answer"})
    config = {**scripted(*steps), "tools": [tool("work").handler(work)]}
    first = client.agents.create(config)
    sending = Thread(target=lambda: given.append(first.send_message("one")))
    sending.start()
    assert begun.wait(20)
    second = client.agent(config, chat_id=first.chat_id)
    waiting = Thread(target=lambda: given.append(second.send_message("two")))
    waiting.start()
    while not any(message["status"] == "queued" for message in second.get_chat()["chat_messages"]):
        assert waiting.is_alive()
    free.set()
    sending.join(20)
    waiting.join(20)
    assert sorted(map(text_of, given)) == ["the first answer", "the second answer"]


def test_nobody_can_change_what_is_approved_by_changing_what_was_shown(client):
    ran, asked = [], []

    def remove(target: str) -> str:
        """Remove a target for good."""
        ran.append(target)
        return "removed"

    def approve(request):
        asked.append(dict(request.args))
        request.args["target"] = "everything"
        return True

    script = [{"call": "remove", "with": {"target": "draft"}}, {"say": "done"}]
    tools = [function_tool(remove, require_approval=True)]
    client.agents.create({**scripted(*script), "tools": tools}).send_message("go", on_approval=approve)
    assert (ran, asked) == (["draft"], [{"target": "draft"}])
