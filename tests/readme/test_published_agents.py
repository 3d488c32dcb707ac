"""Every code block of the README of 0.7.8 about agents runs against the engine, the model being scripted."""

import asyncio
import inspect
import re

import pytest

from inferencesh import Agent, AsyncAgent, async_inference, inference
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

from .published import HERE, execute, execute_asynchronously, execute_awaiting

ENGINE_YML = """\
aliases:
  infsh/claude-sonnet-4: inferencesh/scripted
"""

ASSISTANT = """\
namespace: my-org
name: assistant
version: abc123
core_app: infsh/claude-sonnet-4
context:
  - {name: tenant_id}
  - {name: user_id}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    served = tmp_path_factory.mktemp("served")
    (served / "engine.yml").write_text(ENGINE_YML)
    (served / "agents").mkdir()
    (served / "agents" / "assistant.yml").write_text(ASSISTANT)
    engine = BackgroundEngine(EngineConfig(apps_dir=served, token="your-api-key"))
    yield engine
    engine.stop()


@pytest.fixture
def scope(engine, monkeypatch):
    """The names a block finds: what a reader of the README has at that point."""
    monkeypatch.setenv("INFERENCE_BASE_URL", engine.base_url)
    with inference(api_key="your-api-key") as client:
        yield {"client": client, "agent": client.agents.create("my-org/assistant@abc123")}


def text_of(message):
    return "".join(part.get("text") or "" for part in message["content"])


def test_using_a_template_agent(scope, capsys):
    execute("using a template agent 1", scope)
    scope["client"].close()
    assert text_of(scope["response"]) == "You said: Hello!"
    assert scope["response"]["status"] == "ready"
    by_itself, _, manually = capsys.readouterr().out.partition(f"\nChat ID: {scope['agent'].chat_id}\n")
    assert by_itself.endswith("You said: Hello!")
    assert manually == "You said: Hello!"


def test_creating_an_ad_hoc_agent(scope, capsys):
    seen = []
    execute("creating an ad-hoc agent 1", scope := scope | {"on_message": seen.append})
    scope["client"].close()
    assert capsys.readouterr().out == "[Tool: get_weather]\n"
    assert text_of(scope["response"]) == 'get_weather says: {"temp": 72, "conditions": "sunny"}'
    assert seen[-1] == scope["response"]
    called = [each["function"] for message in seen for each in message["tool_invocations"]]
    assert called[0] == {"name": "get_weather", "arguments": {"city": "Paris"}}


def test_file_attachments(scope):
    agent = scope["agent"]
    execute("file attachments 1", scope)
    first, second = (each for each in agent.get_chat()["chat_messages"] if each["role"] == "user")
    assert [part["type"] for part in first["content"]] == ["text", "file"]
    assert [part["type"] for part in second["content"]] == ["text", "image"]


def test_uploading_separately(scope):
    ref = execute("file attachments 2", scope)["ref"]
    assert (ref["filename"], ref["content_type"], ref["size"]) == ("notes.txt", "text/plain", 5)
    answer = scope["agent"].send_message("Read this again", attachments=[ref])
    assert text_of(answer) == "You said: Read this again (with notes.txt)"


@pytest.mark.parametrize("output", [{"entities": ["Ada", "London"]}, None])
def test_structured_output(scope, output, capsys):
    last = {"finish": output} if output else {"say": "There are none."}
    core_app = {"ref": "infsh/claude-sonnet-4", "setup": {"script": [{"say": "Noted."}, last]}}
    schema = {"type": "object", "properties": {"entities": {"type": "array"}}}
    scope["agent"] = scope["client"].agents.create({"core_app": core_app, "output_schema": schema})
    scope["agent"].send_message("Ada lives in London.")
    execute("structured output with `run()` 1", scope)
    assert scope["result"] == output
    assert capsys.readouterr().out == (f"{output}\n" if output else "")


def test_context_variables(scope):
    execute("per-chat context variables 1", scope)
    scope["agent"].send_message("Hello!")
    assert scope["agent"].get_chat()["context"] == {"tenant_id": "acme", "user_id": "42"}
    assert scope["lookup"]["http"]["auth"] == {"type": "bearer", "secret": "API_TOKEN"}


def test_tool_builder(scope):
    with pytest.warns(UserWarning, match="generate"):
        execute("tool builder 1", scope)
    tools = [scope[name] for name in ("search", "generate", "notify", "web_search")]
    assert [tool["type"] for tool in tools] == ["client", "app", "http", "mcp"]
    agent = scope["client"].agents.create({"core_app": {"ref": "infsh/claude-sonnet-4"}, "tools": tools})
    # What an agent may call and does not need may be missing: here the app, the secret and the server.
    answer = agent.send_message("Search files like '*.py'", on_tool_call=lambda call: f"found {call.args}")
    assert text_of(answer) == "search says: found {'pattern': '*.py'}"


@pytest.mark.parametrize("agent", [Agent, AsyncAgent])
def test_agent_methods_take_the_arguments_of_the_table(agent):
    text = (HERE / "published.md").read_text(encoding="utf-8")
    table = text.partition("### agent methods")[2].partition("###")[0]
    methods = dict(re.findall(r"^\| `(\w+)\((.*?)\)`", table, re.MULTILINE))
    assert len(methods) == 9
    for name, arguments in methods.items():
        named = set(re.findall(r"(\w+)(?==|,|$)", arguments.replace("=None", "")))
        # The table has a name of its own for what 0.7.8 called tool_invocation_id.
        assert named - {"tool_id"} <= set(inspect.signature(getattr(agent, name)).parameters), name


def test_async_agent(scope):
    async def main():
        await execute_awaiting("async agent 1", scope)
        await scope["client"].aclose()

    asyncio.run(main())
    assert text_of(scope["response"]) == "You said: Hello!"
    assert scope["output"] is None


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("using a template agent 1", "You said: Hello!"),
        ("creating an ad-hoc agent 1", 'get_weather says: {"temp": 72, "conditions": "sunny"}'),
        ("file attachments 1", "You said: Analyze image (with file.png)"),
        ("file attachments 2", None),
        ("structured output with `run()` 1", "You said: Extract entities from the text above"),
        ("per-chat context variables 1", None),
    ],
)
def test_the_same_code_on_the_asynchronous_client(scope, block, said):
    async def main():
        async with async_inference(api_key="your-api-key") as client:
            agent = client.agents.create("my-org/assistant@abc123")
            names = {"client": client, "agent": agent, "on_message": [].append}
            await execute_asynchronously(block, names)
            if names["client"] is not client:
                await names["client"].aclose()
            return names["agent"]

    agent = asyncio.run(main())
    assert isinstance(agent, AsyncAgent)
    if said is not None:
        chat = scope["client"].agent("my-org/assistant", chat_id=agent.chat_id).get_chat()
        assert text_of(chat["chat_messages"][-1]) == said
    else:
        assert agent.chat_id is None
