"""Talking to agents, against a scripted server: both faces, from one source."""

import base64
import logging
from io import BytesIO

import pytest
from pydantic import BaseModel

from chat_scripts import (
    HEARTBEAT,
    PLUGINS,
    accepted,
    body_of,
    chat,
    invocation,
    lines,
    message,
    now,
    said,
)
from inferencesh_agents import (
    AgentAPIError,
    AgentError,
    ChatNotFoundError,
    OutputError,
    TextDelta,
    TurnCancelledError,
    TurnDone,
    TurnFailedError,
    TurnTimeoutError,
    internal_tools,
    string,
    tool,
)
from inferencesh_agents.errors import agent_error
from inferencesh_core.errors import (
    APIError,
    RequirementsNotMetError,
    StreamError,
    TransportError,
    UploadError,
)
from inferencesh_core.http.messages import Request
from inferencesh_core.http.problems import parse_problem
from inferencesh_core.statuses import is_message_ready
from inferencesh_core.testing.replies import Reply, answer, cut, silence, stream
from inferencesh_core.testing.world import World
from inferencesh_core.testing.world import World as SyncWorld

ANSWER = [now("busy"), said(2, "pending", "he"), said(2, text="hello"), now("idle")]
HELLO = message(2, text="hello")
NOT_FOUND = answer({"detail": "no such chat", "code": "not_found"}, status=404)


@pytest.fixture(autouse=True)
def _alone(caplog, monkeypatch):
    """No warnings of the troubles made here, no search for installed plugins with each of many clients."""
    caplog.set_level(logging.CRITICAL, "inferencesh")
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def agent_in(world, who="acme/helper@q1", **options):
    return world.client(plugins=PLUGINS).agent(who, **options)


def asked(*replies, text="hi", who="acme/helper@q1", **options):
    """Send one message; give what came back, and the world."""
    world = World([accepted(), *replies])
    return agent_in(world, who).send_message(text, **options), world


def test_a_message_to_a_template_is_sent_as_the_api_takes_it():
    world = World([accepted(), stream(*ANSWER)])
    agent = agent_in(world, context={"tenant_id": "acme"})
    assert agent.chat_id is None
    agent.send_message("hi")
    assert agent.chat_id == "c1"
    assert body_of(world) == {
        "chat_id": None,
        "agent": "acme/helper@q1",
        "context": {"tenant_id": "acme"},
        "input": {
            "text": "hi",
            "attachments": None,
            "role": "user",
            "context": [],
            "system_prompt": "",
            "context_size": 0,
        },
    }
    (request,) = [seen for seen in world.seen if seen.line == "POST /agents/run"]
    assert request.headers["X-API-Version"] == "2"
    assert len(request.headers["Idempotency-Key"]) == 32


def test_the_next_message_goes_to_the_same_chat_until_the_agent_is_reset():
    more = [now("busy"), said(4, text="again"), now("idle")]
    world = World([accepted(), stream(*ANSWER), accepted(4), stream(*more), accepted(), stream(*ANSWER)])
    agent = agent_in(world)
    agent.send_message("one")
    assert agent.send_message("two")["id"] == "m4"
    agent.reset()
    assert agent.chat_id is None
    agent.send_message("three")
    assert [body_of(world, which=each)["chat_id"] for each in range(3)] == [None, "c1", None]


def test_an_agent_goes_on_with_a_chat_it_is_given():
    world = World([accepted(), stream(*ANSWER)])
    agent_in(world, chat_id="c1").send_message("hi")
    assert body_of(world)["chat_id"] == "c1"


def test_a_configuration_travels_as_json_and_is_left_as_it_was():
    handled = tool("get_weather").param("city", string()).handler(lambda _args: "sunny")
    config = {
        "name": "Weather",
        "core_app": {"ref": "acme/model"},
        "tools": [handled, tool("search")],
        "internal_tools": internal_tools().plan(),
    }
    before = {**config}
    _, world = asked(stream(*ANSWER), who=config)
    assert config == before
    body = body_of(world)
    assert body["agent_name"] == "Weather"
    assert body["agent_config"]["internal_tools"] == {"plan": True}
    assert [each["name"] for each in body["agent_config"]["tools"]] == ["get_weather", "search"]
    assert body["agent_config"]["tools"][0] == handled["schema"]


def test_a_configuration_changed_later_does_not_change_its_agent():
    config = {"core_app": {"ref": "acme/model"}, "tools": []}
    world = World([accepted(), stream(*ANSWER)])
    agent = agent_in(world, config)
    config["core_app"]["ref"] = "other"
    agent.send_message("hi")
    assert body_of(world)["agent_config"] == {"core_app": {"ref": "acme/model"}, "tools": []}


def test_an_unknown_key_of_a_configuration_is_warned_of_with_the_nearest_known_one():
    config = {"core_app": {"ref": "acme/model"}, "sytem_prompt": "Be brief.", "temperature": 0.5}
    with pytest.warns(UserWarning, match=r"'sytem_prompt'.*Did you mean 'system_prompt'") as caught:
        asked(stream(*ANSWER), who=config)
    assert len(caught) == 1


@pytest.mark.parametrize("verb", ["agent", "agents"])
def test_the_warning_of_an_unknown_key_points_to_the_line_that_makes_the_agent(verb):
    client = SyncWorld([]).client(plugins=PLUGINS)
    make = client.agent if verb == "agent" else client.agents.create
    with pytest.warns(UserWarning, match="tool") as caught:
        make({"core_app": "acme/model", "tool": []})
    assert caught[0].filename == __file__


def test_a_model_may_be_named_by_its_reference_alone():
    _, world = asked(stream(*ANSWER), who={"core_app": "acme/model"})
    assert body_of(world)["agent_config"] == {"core_app": {"ref": "acme/model"}}


WRONG_AGENTS = {
    "two tools of one name": ({"tools": [tool("a"), tool("a")]}, ValueError, "'a'"),
    "a handler that is none": (
        {"tools": [{"schema": tool("a").build(), "handler": 7}]},
        TypeError,
        "'a'",
    ),
    "something that is no JSON": ({"core_app": {"setup": object()}}, TypeError, "core_app"),
    "an empty reference": (" ", ValueError, "namespace/name"),
    "a number": (7, TypeError, "int"),
}


@pytest.mark.parametrize(("who", "kind", "told"), WRONG_AGENTS.values(), ids=WRONG_AGENTS)
def test_a_wrong_agent_is_refused_before_anything_is_sent(who, kind, told):
    with pytest.raises(kind, match=told):
        World([]).client(plugins=PLUGINS).agents.create(who)


@pytest.mark.parametrize("context", [{"user_id": 42}, {1: "x"}, {"a": None}, ["a"]])
def test_a_context_is_made_of_texts(context):
    with pytest.raises(TypeError, match="context"):
        agent_in(World([]), context=context)


def test_the_message_given_is_the_finished_one():
    for on_message in (None, lambda _message: None):
        given, _ = asked(stream(*ANSWER), on_message=on_message)
        assert given == HELLO


def test_callbacks_come_once_for_each_change_and_in_order():
    told = []
    twice = [line for line in ANSWER[:-1] for _ in range(2)]
    asked(stream(*twice, HEARTBEAT, ANSWER[-1]), on_message=lambda each: told.append(each["status"]))
    assert told == ["pending", "ready"]


def test_a_callback_may_be_asynchronous():
    told = []

    async def on_message(each):
        told.append(each["id"])

    asked(stream(*ANSWER), on_message=on_message)
    assert told == ["m2", "m2"]


def test_what_a_callback_raises_is_raised_here():
    def on_message(_message):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asked(stream(*ANSWER), on_message=on_message)


def test_what_the_user_said_and_what_was_said_before_is_not_told():
    told = []
    noise = [said(1, text="hi", role="user"), said(0, text="of the turn before")]
    asked(stream(*noise, *ANSWER), on_message=lambda each: told.append(each["id"]))
    assert told == ["m2", "m2"]


def test_an_idle_line_of_the_time_before_does_not_end_the_turn():
    given, world = asked(stream(now("idle"), *ANSWER), answer(chat("idle", [message(2, "pending")])))
    assert given == HELLO
    assert lines(world)[1:] == ["GET /chats/c1/stream", "GET /chats/c1"]


def test_a_turn_that_was_over_before_the_stream_stood_is_found_by_the_record():
    given, _ = asked(stream(now("idle")), answer(chat("idle", [message(1, role="user"), HELLO])))
    assert given == HELLO


def test_the_messages_are_asked_for_where_the_chat_leaves_them_out():
    page = {"items": [HELLO], "next_cursor": None, "has_next": False}
    given, world = asked(stream(now("idle")), answer(chat("idle")), answer(page))
    assert given == HELLO
    assert lines(world)[-1] == "GET /chats/c1/messages"


TROUBLES = {
    "a clean end": stream(*ANSWER[:2]),
    "a reset": stream(*ANSWER[:2], TransportError("reset")),
    "an error status": answer({"detail": "down"}, status=500),
    "no connection": cut(),
    "silence": stream(*ANSWER[:2], 100.0),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_stream_that_breaks_in_mid_turn_is_taken_up_again(trouble):
    told = []
    given, world = asked(
        trouble,
        answer(chat("busy", [message(2, "pending", "he")])),
        stream(*ANSWER),
        on_message=lambda each: told.append(each["status"]),
    )
    assert given == HELLO
    assert told == ["pending", "ready"]
    assert world.open_streams == 0


def test_a_turn_that_ended_during_a_cut_is_found_ended():
    given, world = asked(stream(*ANSWER[:1]), answer(chat("idle", [HELLO])))
    assert given == HELLO
    assert lines(world)[1:] == ["GET /chats/c1/stream", "GET /chats/c1"]


def test_a_server_that_stays_away_is_given_up():
    world = World(lambda seen: accepted() if seen.line == "POST /agents/run" else cut())
    with pytest.raises(TransportError):
        agent_in(world).send_message("hi")


def test_a_chat_that_vanished_is_an_error():
    with pytest.raises(ChatNotFoundError) as caught:
        asked(stream(now("busy")), NOT_FOUND)
    assert caught.value.status_code == 404


REFUSALS = {
    "a problem document": (answer({"detail": "slow down", "title": "Too many"}, status=400), "slow down"),
    "an envelope": (
        answer({"success": False, "error": {"message": "bad agent"}}, status=404),
        "bad agent",
    ),
    "HTML": (answer(b"<h1>Bad Request</h1>", status=400), "Bad Request"),
}


@pytest.mark.parametrize(("reply", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_status_and_reason(reply, text):
    with pytest.raises(AgentAPIError, match=text) as caught:
        agent_in(World([reply])).send_message("hi")
    assert isinstance(caught.value, (APIError, RuntimeError))
    assert caught.value.status_code in {400, 404}
    assert not isinstance(caught.value, ChatNotFoundError)


def test_missing_requirements_are_told_as_elsewhere():
    refusal = answer({"errors": [{"type": "secret", "key": "K", "message": "no K"}]}, status=412)
    with pytest.raises(RequirementsNotMetError, match="no K"):
        agent_in(World([refusal])).send_message("hi")


@pytest.mark.parametrize("path", ["/agents/run", "/v1/chats/c1", "/tools/ti1/invoke", "/agents"])
def test_the_errors_of_all_agent_routes_are_runtime_errors_too(path):
    problem = parse_problem(400, {}, b"{}", now=0)
    ours, other = (Request("GET", f"https://api.x.test{each}", {}, None) for each in (path, "/tasks/chats"))
    assert isinstance(agent_error(problem, ours), AgentAPIError)
    assert agent_error(problem, other) is None


def test_an_answer_that_is_no_message_is_an_error():
    with pytest.raises(APIError, match="no message"):
        agent_in(World([answer({"ok": True})])).send_message("hi")


def test_a_failed_turn_raises_with_chat_and_message():
    broken = message(2, "failed", content=[{"type": "text", "text": "", "error": "the model is gone"}])
    replies = [now("busy"), {"event": "chat_messages", "data": broken}, now("idle")]
    for verb in ("send_message", "run"):
        agent = agent_in(World([accepted(), stream(*replies)]))
        with pytest.raises(TurnFailedError, match="the model is gone") as caught:
            getattr(agent, verb)("hi")
        assert caught.value.message == broken
        assert caught.value.chat["id"] == "c1"
        assert isinstance(caught.value, AgentError)


STOPPED = [now("busy"), said(2, "cancelled", "he"), now("idle")]


def test_a_turn_that_was_stopped_gives_its_message_but_no_result():
    given, _ = asked(stream(*STOPPED))
    assert given["status"] == "cancelled"
    with pytest.raises(TurnCancelledError):
        agent_in(World([accepted(), stream(*STOPPED)])).run("hi")


def test_a_turn_stopped_while_a_tool_waited_gives_its_message_but_no_result():
    closed = invocation(status="cancelled", result="cancelled: the turn was ended")
    replies = [now("busy"), said(2, text="Let me look.", tools=[closed]), now("idle")]
    given, _ = asked(stream(*replies))
    assert (given["status"], given["tool_invocations"]) == ("ready", [closed])
    with pytest.raises(TurnCancelledError, match="the turn was stopped") as caught:
        agent_in(World([accepted(), stream(*replies)])).run("hi")
    assert caught.value.message == given


def test_a_turn_that_went_on_after_a_cancelled_call_was_not_stopped():
    closed = invocation(status="cancelled", result="rejected")
    replies = [now("busy"), said(2, tools=[closed]), said(3, text="then not"), now("idle")]
    world = World([accepted(), stream(*replies), answer(chat(output={"a": 1}))])
    assert agent_in(world).run("hi") == {"a": 1}


def beats():
    while True:
        yield 10.0
        yield b'{"type": "heartbeat"}\n'


def test_waiting_ends_on_time_and_the_turn_goes_on():
    world = World([accepted(), Reply(steps=beats()), stream(*ANSWER)])
    agent = agent_in(world)
    with pytest.raises(TurnTimeoutError, match="within 25 s; it goes on, and stream_all"):
        agent.send_message("hi", timeout=25)
    assert 25 <= world.now < 25.5
    told = []
    agent.stream_all(on_message=told.append)
    assert told[-1] == HELLO


def test_a_server_that_never_opens_the_stream_does_not_hold_up_the_deadline():
    world = World([accepted(), silence()])
    with pytest.raises(TurnTimeoutError):
        agent_in(world).send_message("hi", timeout=5)
    assert 5 <= world.now < 5.5


def test_a_turn_can_be_stopped_when_waiting_ends():
    stopped = answer(None)
    world = World([accepted(), stream(now("busy"), 50.0), stopped])
    with pytest.raises(TurnTimeoutError, match=r"within 3 s; the server is asked to stop it") as caught:
        agent_in(world).send_message("hi", timeout=3, stop_on_exit=True)
    assert "goes on" not in str(caught.value)
    assert lines(world)[-1] == "POST /chats/c1/stop"
    _, world = asked(stream(*ANSWER), stop_on_exit=True)
    assert "POST /chats/c1/stop" not in lines(world)


def test_run_gives_the_output_of_the_chat():
    world = World([accepted(), stream(*ANSWER), answer(chat("completed", output={"a": 1}))])
    assert agent_in(world).run("hi") == {"a": 1}


def test_run_gives_none_without_a_finish_call():
    world = World([accepted(), stream(*ANSWER), answer(chat("idle"))])
    assert agent_in(world).run("hi", output_type=Pet) is None


class Pet(BaseModel):
    name: str
    legs: int = 4


AD_HOC = {"core_app": {"ref": "acme/model"}}


def outcome(output, output_type, who=AD_HOC):
    world = World([accepted(), stream(*ANSWER), answer(chat("completed", output=output))])
    return agent_in(world, who).run("hi", output_type), body_of(world)


def test_an_output_is_given_as_the_model_asked_for():
    given, body = outcome({"name": "Rex"}, Pet)
    assert given == Pet(name="Rex")
    assert body["agent_config"]["output_schema"] == Pet.model_json_schema()
    assert body["agent_config"]["internal_tools"] == {"finish": True}


def test_an_output_that_is_no_object_is_asked_for_as_an_argument():
    given, body = outcome({"result": [{"name": "Rex"}]}, list[Pet])
    assert given == [Pet(name="Rex")]
    schema = body["agent_config"]["output_schema"]
    assert schema["required"] == ["result"]
    assert set(schema["$defs"]) == {"Pet"}


def test_a_schema_of_the_agents_own_stays():
    _, body = outcome({"name": "Rex"}, Pet, {**AD_HOC, "output_schema": {"type": "object"}})
    assert body["agent_config"]["output_schema"] == {"type": "object"}
    _, body = outcome({"name": "Rex"}, Pet, "acme/helper")
    assert body["agent"] == "acme/helper"
    assert "agent_config" not in body


def test_an_output_of_another_type_is_an_error_that_has_it():
    with pytest.raises(OutputError, match="Pet") as caught:
        outcome({"legs": 3}, Pet)
    assert caught.value.output == {"legs": 3}
    assert caught.value.chat["status"] == "completed"


def test_a_type_that_cannot_be_checked_is_refused_at_once():
    with pytest.raises(TypeError, match="output_type"):
        agent_in(World([])).run("hi", World)


def test_a_turn_can_be_iterated_over_piece_by_piece():
    world = World([accepted(), stream(*ANSWER)])
    assert list(agent_in(world).stream("hi")) == [
        TextDelta("he", "m2"),
        TextDelta("llo", "m2"),
        TurnDone(HELLO, chat("idle")),
    ]


def test_leaving_the_loop_closes_the_stream():
    world = World([accepted(), stream(*ANSWER)])
    pieces = agent_in(world).stream("hi")
    assert next(pieces) == TextDelta("he", "m2")
    pieces.close()
    assert world.open_streams == 0


def test_messages_can_be_streamed_until_one_is_ready():
    world = World([accepted(), stream(*ANSWER), stream(said(2, text="hello"), now("idle"))])
    agent = agent_in(world)
    agent.send_message("hi")
    for each in agent.stream_messages():
        if is_message_ready(each.get("status")):
            break
    assert each == HELLO


@pytest.mark.parametrize(("verb", "seen"), [("stream_messages", "m2"), ("stream_chat", "c1")])
def test_streams_end_with_the_turn(verb, seen):
    told = [said(2, text="hello"), now("idle")]
    world = World([stream(*told), stream(*told)])
    agent = agent_in(world)
    assert list(getattr(agent, verb)()) == []
    assert [each["id"] for each in getattr(agent, verb)("c1")] == [seen]
    assert lines(world) == ["GET /chats/c1/stream"]
    held = agent_in(world, chat_id="c1")
    assert [each["id"] for each in getattr(held, verb)(True, 3, 10)] == [seen]


def test_streams_go_on_after_a_cut_unless_told_not_to():
    replies = [stream(ANSWER[0]), answer(chat("busy", [message(2, "pending")])), stream(*ANSWER)]
    agent = agent_in(World(replies), chat_id="c1")
    assert [each["status"] for each in agent.stream_messages()] == ["pending", "pending", "ready"]
    agent = agent_in(World(replies[:1]), chat_id="c1")
    with pytest.raises(StreamError, match="chat c1"):
        list(agent.stream_messages(False))


def test_all_of_a_chat_can_be_followed_by_callbacks():
    agent = agent_in(World([stream(*ANSWER)]), chat_id="c1")
    chats, messages = [], []
    agent.stream_all(lambda each: chats.append(each["status"]), messages.append)
    assert chats == ["busy", "idle"]
    assert messages[-1] == HELLO
    assert agent_in(World([])).stream_all() is None


def test_a_chat_can_be_looked_at_and_stopped():
    world = World([answer(chat("busy")), answer(chat("idle")), answer(None, status=204), answer(True)])
    agent = agent_in(world)
    assert agent.get_chat() is None
    assert agent.stop_chat() is None
    assert agent.get_chat("c1")["status"] == "busy"
    held = agent_in(world, chat_id="c1")
    assert held.get_chat()["status"] == "idle"
    assert held.stop_chat() is None
    assert held.stop_chat("c/2") is None
    assert lines(world)[-2:] == ["POST /chats/c1/stop", "POST /chats/c%2F2/stop"]


def test_somebody_elses_chat_is_one_that_does_not_exist():
    for call in (lambda agent: agent.get_chat("c9"), lambda agent: list(agent.stream_messages("c9"))):
        with pytest.raises(ChatNotFoundError):
            call(agent_in(World(lambda _seen: NOT_FOUND)))


SHAPES = {
    "bare": lambda value: value,
    "first envelope": lambda value: {"success": True, "status": 200, "messages": [], "data": value},
    "newer envelope": lambda value: {"data": value, "messages": []},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_answers_in_every_envelope_are_understood(shape):
    first = {"user_message": message(1, role="user"), "assistant_message": message(2, "pending")}
    world = World([answer(shape(first)), stream(*ANSWER), answer(shape(chat("idle", [HELLO])))])
    agent = agent_in(world)
    assert agent.send_message("hi") == HELLO
    assert agent.get_chat()["chat_messages"] == [HELLO]


class Store:
    """Takes uploads, then serves the turn."""

    def __init__(self):
        self.turn = iter([accepted(), stream(*ANSWER)])
        self.files = []
        self.stored = {}

    def __call__(self, seen):
        if seen.line == "POST /files":
            (wanted,) = seen.json["files"]
            self.files.append(wanted)
            uri = f"https://files.test/{wanted['filename']}"
            return answer([{**wanted, "id": "f", "uri": uri, "upload_url": uri}])
        if seen.line.startswith("PUT"):
            self.stored[seen.line.rpartition("/")[2]] = seen.body
            return answer(None)
        return next(self.turn)


def sent(files, **options):
    store = Store()
    world = World(store)
    agent_in(world).send_message("look", files, **options)
    return store, body_of(world)["input"]["attachments"]


def test_files_of_every_kind_go_up_before_the_message(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_bytes(b"notes")
    with (tmp_path / "notes.txt").open("rb") as file:
        store, attachments = sent(
            [
                b"raw",
                "data:text/plain;charset=utf-8;base64,aGk=",
                "aGVsbG8gd29ybGQhISE=",
                tmp_path / "photo.png",
                file,
                {"uri": "https://elsewhere.test/x", "filename": "x"},
                "https://elsewhere.test/y",
            ]
        )
    assert [each["uri"] for each in attachments][3:] == [
        "https://files.test/photo.png",
        "https://files.test/notes.txt",
        "https://elsewhere.test/x",
        "https://elsewhere.test/y",
    ]
    assert [each.get("size") for each in attachments][:5] == [3, 2, 14, 8, 5]
    assert attachments[1]["content_type"] == "text/plain"
    assert attachments[3]["content_type"] == "image/png"
    assert store.stored["notes.txt"] == b"notes"


def test_references_are_sent_as_they_are():
    reference = {"uri": "https://elsewhere.test/x", "content_type": "text/plain"}
    _, attachments = sent([], attachments=[reference])
    assert attachments == [reference]


def test_an_upload_gives_its_reference():
    world = World(Store())
    reference = agent_in(world).upload_file(b"notes", filename="notes.txt")
    assert reference["uri"] == "https://files.test/notes.txt"
    assert reference["filename"] == "notes.txt"
    assert reference["content_type"]
    assert reference["size"] == 5


def test_short_base64_is_taken_where_its_padding_shows_it():
    store = Store()
    agent_in(World(store)).upload_file(base64.b64encode(b"hello").decode(), filename="f")
    assert store.stored["f"] == b"hello"


@pytest.mark.parametrize("text", ["photo.png", "photo", "word", "responsible", "data:text/plain;base64,%%%"])
def test_a_text_that_is_no_file_is_refused_before_anything_is_sent(text):
    world = World([])
    with pytest.raises(UploadError, match=r"photo|word|responsible|data"):
        agent_in(world).send_message("look", files=[text])
    assert world.seen == []


@pytest.mark.parametrize("files", ["a.png", b"raw", {"uri": "x"}, 7, BytesIO(b"raw")])
def test_files_are_a_list(files):
    with pytest.raises(TypeError, match=r"files=\[\.\.\.\]"):
        agent_in(World([])).send_message("look", files=files)


def test_a_message_is_a_text():
    with pytest.raises(TypeError, match=r"files=\[\.\.\.\]"):
        agent_in(World([])).send_message(b"hi")


@pytest.mark.parametrize("verb", ["send_message", "run"])
def test_an_empty_message_is_refused_before_anything_is_sent(verb):
    world = World([])
    with pytest.raises(ValueError, match="the message is an empty text"):
        getattr(agent_in(world), verb)("", files=[])
    assert world.seen == []


def test_an_empty_message_may_go_with_files():
    _, world = asked(stream(*ANSWER), text="", attachments=[{"uri": "https://example.com/a"}])
    assert body_of(world)["input"]["text"] == ""


def test_a_reference_without_an_address_is_refused():
    with pytest.raises(UploadError, match=r"files\[0\].*uri"):
        agent_in(World([])).send_message("look", files=[{"filename": "x"}])
