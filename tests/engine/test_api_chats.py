"""Chats over HTTP, as the published clients expect them (wire protocol 5), with the model that ships."""

import json
import re
from pathlib import Path

import pytest

from serving import serving

LINES = {"Accept": "application/x-ndjson"}
AGENT = {"core_app": {"ref": "inferencesh/scripted"}}
WEATHER = {
    "name": "get_weather",
    "display_name": "get_weather",
    "description": "Get current weather",
    "type": "client",
    "require_approval": False,
    "client": {
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City name"}},
            "required": ["city"],
        }
    },
}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chats")
    agents = folder / "apps" / "agents"
    agents.mkdir(parents=True)
    (agents / "assistant.yml").write_text(
        "namespace: my-org\nname: assistant\nversion: abc123\ncore_app: inferencesh/scripted\n"
        "context:\n- {name: tenant, required: true}\n"
    )
    with serving(folder, heartbeat_seconds=0.1) as api:
        yield api


def said(text):
    """The `input` that the Python client sends."""
    unset = {"attachments": None, "role": "user", "context": [], "system_prompt": "", "context_size": 0}
    return {"text": text, **unset}


def send(api, text="Hello", *, version="2", headers=None, **body):
    body = {"agent": None, "agent_config": AGENT, "context": None, "input": said(text), **body}
    body = {name: value for name, value in body.items() if value is not None or name == "context"}
    return api.call("POST", "/agents/run", {"chat_id": None, **body}, version=version, headers=headers)


def chat_of(answer):
    return answer.json["assistant_message"]["chat_id"]


def follow(api, chat, *, until=("idle", "completed")):
    """The lines of the chat's stream, heartbeats aside, up to the first chats line with such a status."""
    with api.opened("GET", f"/chats/{chat}/stream", headers=LINES) as response:
        return list(_lines(response, until))


def _lines(response, until):
    assert response.headers["Content-Type"] == "application/x-ndjson"
    while True:
        line = json.loads(response.readline())
        if line.get("type") == "heartbeat":
            continue
        yield line
        if line["event"] == "chats" and line["data"]["status"] in until:
            return


def text_of(message):
    return "".join(part["text"] or "" for part in message["content"] if part["type"] == "text")


def test_a_message_is_answered_at_once_and_the_answer_follows_on_the_stream(api):
    answer = send(api, "Hello")
    user, assistant = answer.json["user_message"], answer.json["assistant_message"]
    assert (user["role"], user["status"], text_of(user)) == ("user", "ready", "Hello")
    assert (assistant["status"], assistant["content"]) == ("pending", [])
    assert answer.headers["accept-idempotency-key"] == "yes"
    lines = follow(api, assistant["chat_id"])
    messages = [line["data"] for line in lines if line["event"] == "chat_messages"]
    assert {message["role"] for message in messages} == {"assistant"}
    assert (messages[-1]["id"], messages[-1]["status"]) == (assistant["id"], "ready")
    assert lines[-1]["data"]["chat_messages"] == []


def test_without_the_version_header_everything_is_in_an_envelope(api):
    body = send(api, version=None).json
    assert (body["success"], body["data"]["assistant_message"]["role"]) == (True, "assistant")
    chat = body["data"]["assistant_message"]["chat_id"]
    follow(api, chat)
    stopped = api.call("POST", f"/chats/{chat}/stop", version=None).json
    assert (stopped["success"], stopped["data"]["status"]) == (True, "idle")
    assert api.call("DELETE", f"/chats/{chat}", version=None).json["success"] is True
    failure = api.call("GET", f"/chats/{chat}", version=None)
    assert (failure.status, failure.json["success"]) == (404, False)
    assert chat in failure.json["error"]["message"]


def test_an_idle_chat_shows_its_last_answer_before_it_says_that_it_is_idle(api):
    chat = chat_of(send(api, "Hello"))
    follow(api, chat)
    lines = follow(api, chat)
    assert [line["event"] for line in lines] == ["chat_messages", "chats"]
    assert lines[0]["data"]["role"] == "assistant"


def test_who_connects_before_posting_does_not_hear_of_the_idle_chat(api):
    chat = chat_of(send(api, "Hello"))
    follow(api, chat)
    with api.opened("GET", f"/chats/{chat}/stream", headers=LINES) as response:
        first = json.loads(response.readline())
        send(api, "Once more", chat_id=chat, agent_config=None)
        lines = [first, *_lines(response, ("idle",))]
    assert [line["data"]["status"] for line in lines if line["event"] == "chats"] == ["busy", "idle"]
    assert text_of(lines[-2]["data"])


def test_the_stream_stays_open_with_heartbeats(api):
    chat = chat_of(send(api, "Hello"))
    with api.opened("GET", f"/chats/{chat}/stream", headers=LINES) as response:
        list(_lines(response, ("idle",)))
        assert [json.loads(response.readline()) for _ in range(2)] == [{"type": "heartbeat"}] * 2
        send(api, "Again", chat_id=chat, agent_config=None)
        assert next(_lines(response, ("idle",)))["data"]["status"] == "busy"


def test_browsers_get_named_events(api):
    chat = chat_of(send(api, "Hello"))
    follow(api, chat)
    accept = {"Accept": "text/event-stream"}
    with api.opened("GET", f"/chats/{chat}/stream", headers=accept) as response:
        frame = [response.readline() for _ in range(3)]
    assert frame[0] == b"event: chat_messages\n"
    assert json.loads(frame[1].removeprefix(b"data: "))["status"] == "ready"
    assert frame[2] == b"\n"


def test_a_stream_of_a_chat_that_is_not_there_fails_before_it_begins(api):
    assert api.call("GET", "/chats/nope/stream", headers=LINES).status == 404


def test_a_client_tool_is_carried_by_a_message_line_and_answered_once(api):
    chat = chat_of(send(api, "What's the weather in Paris?", agent_config={**AGENT, "tools": [WEATHER]}))
    lines = follow(api, chat, until=("awaiting_input",))
    (invocation,) = lines[-2]["data"]["tool_invocations"]
    assert invocation["function"] == {"name": "get_weather", "arguments": {"city": "Paris"}}
    assert (invocation["type"], invocation["status"]) == ("client", "awaiting_input")
    path = f"/tools/{invocation['id']}"
    assert api.call("POST", path, {"result": '{"temp": 72}'}).status == 200
    again = api.call("POST", path, {"result": "late"})
    assert (again.status, again.json["type"].rpartition("/")[2]) == (409, "invocation_finished")
    assert "72" in text_of(follow(api, chat)[-2]["data"])
    assert api.call("POST", "/tools/nope", {"result": "x"}).status == 404


def test_a_result_of_ten_megabytes_is_refused(api):
    chat = chat_of(send(api, "What's the weather in Paris?", agent_config={**AGENT, "tools": [WEATHER]}))
    (invocation,) = follow(api, chat, until=("awaiting_input",))[-2]["data"]["tool_invocations"]
    path = f"/tools/{invocation['id']}"
    assert api.call("POST", path, {"result": "x" * 10_000_000}).status == 413
    assert api.call("POST", path, {"result": "x" * 1024 * 1024}).status == 200


def test_approval_over_http(api):
    tool = {**WEATHER, "require_approval": True}
    chat = chat_of(send(api, "What's the weather in Paris?", agent_config={**AGENT, "tools": [tool]}))
    (invocation,) = follow(api, chat, until=("awaiting_input",))[-2]["data"]["tool_invocations"]
    assert invocation["status"] == "awaiting_approval"
    other = {"arguments": {"city": "Rome"}}
    assert api.call("POST", f"/tools/{invocation['id']}/invoke", other).status == 409
    allow = f"/chats/{chat}/tools/{invocation['id']}/always-allow"
    assert api.call("POST", allow, {"tool_name": "get_weather"}).status == 200
    assert api.call("POST", f"/tools/{invocation['id']}/reject", {"reason": "no"}).status == 409
    assert api.call("GET", f"/chats/{chat}").json["agent_data"]["always_allowed_tools"] == ["get_weather"]


def test_interrupts_are_the_newer_name_of_approvals(api):
    tool = {**WEATHER, "require_approval": True}
    chat = chat_of(send(api, "What's the weather in Paris?", agent_config={**AGENT, "tools": [tool]}))
    (invocation,) = follow(api, chat, until=("awaiting_input",))[-2]["data"]["tool_invocations"]
    path = f"/interrupts/{invocation['id']}/resolve"
    assert api.call("POST", path, {"decision": "perhaps"}).status == 422
    assert api.call("POST", path, {"decision": "deny"}).json["status"] == "failed"


def test_a_template_answers_by_reference_with_its_context(api):
    missing = send(api, agent="my-org/assistant@abc123", agent_config=None)
    assert (missing.status, "tenant" in missing.json["detail"]) == (400, True)
    answer = send(api, agent="my-org/assistant@abc123", agent_config=None, context={"tenant": "acme"})
    chat = api.call("GET", f"/chats/{chat_of(answer)}").json
    assert chat["context"] == {"tenant": "acme"}
    agent = api.call("GET", "/agents/my-org/assistant").json
    assert (chat["agent_id"], chat["agent_version_id"]) == (agent["id"], agent["version_id"])


def test_an_unknown_agent_is_a_404_with_a_close_match(api):
    answer = send(api, agent="my-org/asistant@abc123", agent_config=None)
    assert answer.status == 404
    assert "my-org/assistant" in answer.json["detail"]


def test_agents_are_listed_and_shown_with_their_version(api):
    (agent,) = api.call("POST", "/agents/list", {}).json["items"]
    assert (agent["namespace"], agent["name"]) == ("my-org", "assistant")
    assert api.call("GET", f"/agents/{agent['id']}").json == agent
    version = api.call("GET", f"/agents/{agent['id']}/versions/{agent['version_id']}").json
    assert version == agent["version"]
    assert version["core_app"]["ref"] == "inferencesh/scripted"
    known = {category["id"] for category in api.call("GET", "/agents/internal-tools").json}
    assert {"plan", "memory", "widget", "finish"} <= known


def test_one_idempotency_key_is_one_message(api):
    headers = {"Idempotency-Key": "a-key"}
    first, again = send(api, headers=headers), send(api, headers=headers)
    assert first.json == again.json
    assert again.headers["idempotent-replayed"] == "true"
    assert send(api, "Something else", headers=headers).status == 422


def test_a_run_may_be_answered_with_a_stream(api):
    body = {"agent_config": AGENT, "input": {"text": "Hello"}, "stream": True}
    with api.opened("POST", "/agents/run", body, headers=LINES) as response:
        lines = [json.loads(line) for line in response if b'"heartbeat"' not in line]
    assert {line["role"] for line in lines} == {"assistant"}
    assert (lines[0]["status"], lines[-1]["status"]) == ("pending", "ready")


def test_a_chat_may_be_made_before_anything_is_said(api):
    chat = api.call("POST", "/chats", {"agent": "my-org/assistant", "context": {"tenant": "a"}}).json
    assert (chat["status"], chat["chat_messages"]) == ("idle", [])
    user = api.call("POST", f"/chats/{chat['id']}/messages", {"message": {"text": "Hello"}}).json
    assert (user["role"], text_of(user)) == ("user", "Hello")
    follow(api, chat["id"])
    page = api.call("GET", f"/chats/{chat['id']}/messages?limit=1").json
    assert ([one["id"] for one in page["items"]], page["has_next"]) == ([user["id"]], True)
    rest = api.call("GET", f"/chats/{chat['id']}/messages?cursor={page['next_cursor']}").json
    assert [one["role"] for one in rest["items"]] == ["assistant"]
    assert api.call("GET", f"/chats/{chat['id']}/messages?limit=x").status == 400


def test_chats_are_renamed_listed_and_deleted(api):
    chat = chat_of(send(api, "Hello"))
    follow(api, chat)
    assert api.call("POST", f"/chats/{chat}", {"name": "Zebra"}).json["name"] == "Zebra"
    assert api.call("POST", f"/chats/{chat}", {"name": 1}).status == 422
    found = api.call("POST", "/chats/list", {"search": {"term": "zebra"}, "fields": ["name"]}).json
    assert found["items"] == [{"id": chat, "name": "Zebra"}]
    assert api.call("GET", f"/chats/{chat}/status").json["status"] == "idle"
    assert api.call("DELETE", f"/chats/{chat}").status == 200
    assert api.call("POST", "/chats/list", {"search": {"term": "zebra"}}).json["total_items"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": {}}, "input.text"),
        ({"input": 3}, "input"),
        ({"input": {"text": "x", "role": "assistant"}}, "input.role"),
        ({"input": {"text": "x", "attachments": [{"id": "f"}]}}, "input.attachments"),
        ({"agent_config": {}}, "core_app.ref"),
        ({"agent_config": {**AGENT, "tools": [WEATHER, WEATHER]}}, "tools[1].name"),
        ({"agent_config": {**AGENT, "tools": [{"name": "x", "type": "client"}]}}, "tools[0].client"),
        ({"agent_config": {**AGENT, "output_schema": "text"}}, "output_schema"),
        (
            {
                "agent_config": {
                    **AGENT,
                    "tools": [{**WEATHER, "name": "widget"}],
                    "internal_tools": {"widget": True},
                }
            },
            "tools",
        ),
        ({"agent_config": None, "agent": None}, "agent"),
        ({"context": "x"}, "context"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(api, body, field):
    answer = api.call("POST", "/agents/run", {"agent_config": AGENT, "input": {"text": "Hello"}, **body})
    assert (answer.status, answer.json["field"]) == (422, field)


def test_a_schema_that_is_none_is_named_by_its_tool(api):
    tool = {**WEATHER, "client": {"input_schema": {"type": "thing"}}}
    answer = send(api, agent_config={**AGENT, "tools": [tool]})
    assert (answer.status, "get_weather" in answer.json["detail"]) == (422, True)


def test_the_message_shown_in_the_document_is_taken(api):
    document = (Path(__file__).parents[2] / "docs" / "chats.md").read_text()
    (body,) = re.findall(r"-d '(.*)'", document)
    answer = api.call("POST", "/agents/run", json.loads(body))
    assert follow(api, chat_of(answer))[-1]["data"]["status"] == "idle"
