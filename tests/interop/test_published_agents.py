"""Old client, new server: conversations with agents as the published client holds them.

What does not depend on a defect of the published client is said by the present one too, with the same code.
"""

import pytest

from inferencesh import inference
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

ENGINE_YML = "aliases: {infsh/claude-sonnet-4: inferencesh/scripted}\n"

ASSISTANT = """\
namespace: my-org
name: assistant
version: abc123
core_app: infsh/claude-sonnet-4
"""

HEAD = """
def text_of(message):
    return "".join(part.get("text") or "" for part in message["content"])

def with_script(*steps, **config):
    core_app = {"ref": "infsh/claude-sonnet-4@abc123", "setup": {"script": list(steps)}}
    return {"core_app": core_app, **config}

def until_idle(agent):
    import time
    while agent.get_chat()["status"] == "busy":
        time.sleep(0.02)
    return agent.get_chat()
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    served = tmp_path_factory.mktemp("served")
    (served / "engine.yml").write_text(ENGINE_YML)
    (served / "agents").mkdir()
    (served / "agents" / "assistant.yml").write_text(ASSISTANT)
    engine = BackgroundEngine(EngineConfig(apps_dir=served))
    yield engine
    engine.stop()


@pytest.fixture(params=["published", "present"])
def talk(request):
    """Run a script that has a few helpers on either client; gives the lines it prints."""
    run = request.getfixturevalue(request.param)
    return lambda script: run(HEAD + script).splitlines()


@pytest.fixture
def talk_as_published(published):
    """The same, for what the present client does otherwise: it waits for the end of the turn."""
    return lambda script: published(HEAD + script).splitlines()


def test_it_talks_to_a_template_agent_and_hears_the_answer_grow(talk):
    script = """
agent = client.agents.create("my-org/assistant@abc123")
seen = []
agent.send_message("Hello!", on_message=seen.append)
print(seen[0]["status"], seen[-1]["status"], text_of(seen[-1]))
chat = agent.get_chat()
print(chat["id"] == agent.chat_id, chat["status"], [each["role"] for each in chat["chat_messages"]])
agent.send_message("Again", on_message=seen.append)
print(text_of(seen[-1]), len(agent.get_chat()["chat_messages"]))
agent.reset()
print(agent.chat_id, agent.get_chat())
"""
    first, chat, second, after = talk(script)
    assert first.endswith(" ready You said: Hello!")
    assert chat == "True idle ['user', 'assistant']"
    assert second == "You said: Again 4"
    assert after == "None None"


def test_it_streams_messages_by_hand_as_its_readme_does(talk):
    script = """
agent = client.agents.create("my-org/assistant@abc123")
agent.send_message("Hello!")
for message in agent.stream_messages():
    last = message
    if is_message_ready(message.get("status")):
        break
print(last["role"], text_of(last))
"""
    assert talk(script) == ["assistant You said: Hello!"]


def test_without_a_callback_it_does_not_wait_for_the_answer(talk_as_published):
    script = """
agent = client.agents.create("my-org/assistant@abc123")
print(agent.send_message("Hello!")["status"], text_of(until_idle(agent)["chat_messages"][-1]))
"""
    assert talk_as_published(script) == ["pending You said: Hello!"]


def test_an_ad_hoc_agent_calls_a_tool_of_the_client(talk):
    script = """
weather = tool("get_weather").describe("Get current weather").param("city", string("City name"))
weather = weather.handler(lambda args: "unused")
agent = client.agents.create({
    "core_app": {"ref": "infsh/claude-sonnet-4@abc123"},
    "system_prompt": "You are a helpful assistant.",
    "tools": [weather["schema"]],
})
def on_tool_call(call):
    print(call.name, call.args)
    agent.submit_tool_result(call.id, '{"temp": 72}')
seen = []
agent.send_message("What's the weather in Paris?", on_message=seen.append, on_tool_call=on_tool_call)
print(text_of(seen[-1]))
call = [each for m in agent.get_chat()["chat_messages"] for each in m["tool_invocations"] or []][0]
print(call["status"], call["result"])
try:
    agent.submit_tool_result(call["id"], "again")
except RuntimeError as error:
    print(error)
"""
    called, answer, invocation, refused = talk(script)
    assert called == "get_weather {'city': 'Paris'}"
    assert answer == 'get_weather says: {"temp": 72}'
    assert invocation == 'completed {"temp": 72}'
    assert "completed" in refused


def test_two_tools_called_at_once_are_both_answered(talk):
    script = """
tools = [tool(name).describe(name).param("x", integer("x")).build() for name in ("one", "two")]
calls = [{"tool": name, "with": {"x": 1}} for name in ("one", "two")]
agent = client.agents.create(with_script({"calls": calls}, {"say": "after {result}"}, tools=tools))
answers = []
agent.send_message(
    "Go",
    on_message=answers.append,
    on_tool_call=lambda call: agent.submit_tool_result(call.id, {"action": {"type": call.name}}),
)
print(text_of(answers[-1]).replace(": ", ":"))
"""
    assert talk(script) == ['after {"action":{"type":"two"}}']


def test_it_attaches_files(talk, engine):
    script = """
agent = client.agents.create("my-org/assistant@abc123")
ref = agent.upload_file(b"notes", filename="notes.txt")
print(ref["filename"], ref["size"])
files = [b"notes", "data:text/plain;base64,bm90ZXM="]
agent.send_message("Read", files=files, on_message=lambda message: None)
print(agent.chat_id)
"""
    uploaded, chat_id = talk(script)
    assert uploaded == "notes.txt 5"
    with inference(engine.token, engine.base_url) as client:
        question = client.agent("my-org/assistant", chat_id=chat_id).get_chat()["chat_messages"][0]
    assert [part["type"] for part in question["content"]] == ["text", "file", "file"]


def test_it_stops_a_turn(talk_as_published):
    script = """
agent = client.agents.create(with_script({"say": "word " * 500, "chunks": 500, "pause_seconds": 0.05}))
agent.send_message("Speak slowly")
agent.stop_chat()
chat = until_idle(agent)
print(chat["status"], [each["status"] for each in chat["chat_messages"]])
"""
    assert talk_as_published(script) == ["idle ['ready', 'cancelled']"]


@pytest.mark.parametrize("schema", [None, {"type": "object", "properties": {"result": {"type": "string"}}}])
def test_run_with_a_callback_gives_the_output(talk, schema):
    script = f"""
finish = {{"finish": {{"result": "forty-two"}}}}
agent = client.agents.create(with_script(finish, internal_tools={{"finish": True}}, output_schema={schema}))
print(agent.run("Extract", on_message=lambda message: None), agent.get_chat()["status"])
"""
    assert talk(script) == ["{'result': 'forty-two'} completed"]


def test_context_reaches_the_chat(talk):
    script = """
agent = client.agent("my-org/assistant@abc123", context={"tenant_id": "acme"})
agent.send_message("Hello!", on_message=lambda message: None)
print(agent.get_chat()["context"])
"""
    assert talk(script) == ["{'tenant_id': 'acme'}"]


def test_what_the_engine_refuses_is_an_error_that_says_why(talk):
    script = """
for agent in ("my-org/assistent", {"core_app": {"ref": "nobody/nothing"}}, {}):
    try:
        client.agents.create(agent).send_message("Hello!")
    except RuntimeError as error:
        print(error)
"""
    unknown, no_model, empty = talk(script)
    assert "my-org/assistant" in unknown
    assert "nobody/nothing" in no_model
    assert "core_app" in empty


ASYNC_HEAD = """
import asyncio

async def first(messages, wanted):
    async for message in messages:
        if wanted(message):
            return message
"""


def test_its_asynchronous_agent_talks_and_streams(talk, engine):
    script = f"""{ASYNC_HEAD}
async def main():
    client = async_inference(api_key={engine.token!r}, base_url={engine.base_url!r})
    agent = client.agents.create("my-org/assistant@abc123")
    await agent.send_message("Hello!")
    message = await first(agent.stream_messages(), lambda message: is_message_ready(message["status"]))
    print(message["role"], text_of(message))
    chat = await first(agent.stream_chat(), lambda chat: chat["status"] == "idle")
    print((await agent.get_chat())["status"], chat["id"] == agent.chat_id)
    await agent.stop_chat()

asyncio.run(main())
"""
    assert talk(script) == ["assistant You said: Hello!", "idle True"]


def test_its_asynchronous_agent_answers_a_tool_that_it_sees_waiting(talk, engine):
    script = f"""{ASYNC_HEAD}
def waiting(message):
    return [each["id"] for each in message["tool_invocations"] or () if each["status"] == "awaiting_input"]

async def main():
    client = async_inference(api_key={engine.token!r}, base_url={engine.base_url!r})
    call = {{"call": "search", "with": {{"pattern": "*"}}}}
    search = tool("search").param("pattern", string("Glob pattern")).build()
    agent = client.agents.create(with_script(call, tools=[search]))
    await agent.send_message("Search")
    message = await first(agent.stream_messages(), waiting)
    await agent.submit_tool_result(waiting(message)[0], "a.py")
    message = await first(agent.stream_messages(), lambda m: m["status"] == "ready" and text_of(m))
    print(text_of(message))

asyncio.run(main())
"""
    assert talk(script) == ["search says: a.py"]
