"""What a chat waits for: client tools, approvals, results by hand; a scripted server, both faces."""

import json
import logging
from math import inf

import pytest

from chat_scripts import PLUGINS, accepted, chat, invocation, lines, message, now, said
from inferencesh_agents import (
    AgentAPIError,
    ApprovalRequest,
    Rejection,
    ToolCalled,
    ToolCallInfo,
    ToolReturned,
    TurnTimeoutError,
    string,
    tool,
)
from inferencesh_core.testing.replies import Reply, answer, cut
from inferencesh_core.testing.world import World

TAKEN = answer(None)
CONFLICT = answer({"detail": "the invocation is finished"}, status=409)


@pytest.fixture(autouse=True)
def _alone(caplog, monkeypatch):
    """No warnings of the troubles made here, no search for installed plugins with each of many clients."""
    caplog.set_level(logging.CRITICAL, "inferencesh")
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def waiting(*invocations):
    return [now("busy"), said(2, text="Let me look.", tools=invocations), now("awaiting_input")]


class Engine:
    """Serves one turn that waits for tools: the stream goes on as they are answered, in ``answers`` posts."""

    def __init__(self, *invocations, answers=None, replies=()):
        self.waiting = waiting(*invocations)
        closed = [{**each, "status": "completed", "result": "r"} for each in invocations]
        self.done = [
            now("busy"),
            said(2, text="Let me look.", tools=closed),
            said(3, text="done"),
            now("idle"),
        ]
        self.answers = len(invocations) if answers is None else answers
        self.replies = list(replies)
        self.posts = []

    def __call__(self, seen):
        if seen.line == "POST /agents/run":
            return accepted()
        if seen.line == "GET /chats/c1/stream":
            return Reply(steps=self.steps())
        if seen.line == "GET /chats/c1":
            return answer(chat("awaiting_input", [self.waiting[1]["data"]]))
        self.posts.append((seen.line, seen.json if seen.body else None, seen.at))
        return self.replies.pop(0) if self.replies else TAKEN

    def steps(self):
        yield from (json.dumps(line).encode() + b"\n" for line in self.waiting)
        while len(self.posts) < self.answers:
            yield 10.0
            yield b'{"type": "heartbeat"}\n'
        yield from (json.dumps(line).encode() + b"\n" for line in self.done)


def agent_in(*replies, **options):
    return World(replies).client(plugins=PLUGINS).agent("a/b", **options)


def weather(handler):
    return tool("get_weather").param("city", string()).handler(handler, timeout=inf)


def with_tools(*tools):
    return {"core_app": {"ref": "acme/model"}, "tools": list(tools)}


def sent(engine, *tools, **options):
    world = World(engine)
    given = world.client(plugins=PLUGINS).agent(with_tools(*tools)).send_message("hi", **options)
    assert given["id"] == "m3"
    return [(line.rpartition("/")[2], body) for line, body, _ in engine.posts]


def results(engine, *tools, **options):
    return [(own, body["result"]) for own, body in sent(engine, *tools, **options)]


def test_a_tool_with_a_handler_runs_by_itself():
    args = []

    def handler(given):
        args.append(given)
        return {"temp": 4}

    assert results(Engine(invocation()), weather(handler)) == [("ti1", '{"temp": 4}')]
    assert args == [{"city": "Oslo"}]


def test_a_handler_may_be_asynchronous():
    async def handler(given):
        return f"sunny in {given['city']}"

    assert results(Engine(invocation()), weather(handler)) == [("ti1", "sunny in Oslo")]


def test_arguments_may_come_as_text():
    given = results(Engine(invocation(args='{"city": "Rome"}')), weather(lambda args: args["city"]))
    assert given == [("ti1", "Rome")]


WRONG = {
    "an exception": (lambda _args: 1 / 0, {}, "ZeroDivisionError"),
    "a result that is no JSON": (lambda _args: object(), {}, "JSON"),
    "a result that is too long": (lambda _args: "x" * (11 << 20), {}, "bytes"),
    "wrong arguments": (lambda _args: "never", {"args": {"city": 7}}, "city"),
    "arguments that are no object": (lambda _args: "never", {"args": "[1]"}, "object"),
}


@pytest.mark.parametrize(("handler", "call", "told"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_told_the_model(handler, call, told):
    ((_, text),) = results(Engine(invocation(**call)), weather(handler))
    assert told in json.loads(text)["error"]


def test_a_handler_that_hangs_is_left_behind():
    import threading

    hung = threading.Event()
    slow = tool("get_weather").handler(lambda _args: hung.wait(60), timeout=0.05)
    ((_, text),) = results(Engine(invocation()), slow)
    hung.set()
    assert "0.05" in json.loads(text)["error"]


def test_a_result_the_server_finds_too_long_is_told_the_model():
    refusal = answer({"detail": "at most 10 bytes"}, status=413)
    engine = Engine(invocation(), answers=2, replies=[refusal])
    first, second = results(engine, weather(lambda _args: "x" * 100))
    assert first == ("ti1", "x" * 100)
    assert "at most 10 bytes" in json.loads(second[1])["error"]


def test_calls_are_told_once_and_in_order_also_those_with_handlers():
    told = []
    engine = Engine(invocation(1), invocation(2, name="other"), answers=2)

    def on_tool_call(call):
        told.append(call)
        return "told"

    given = results(engine, weather(lambda _args: "sunny"), on_tool_call=on_tool_call)
    assert sorted(given) == [("ti1", "sunny"), ("ti2", "told")]
    assert told == [
        ToolCallInfo("ti1", "get_weather", {"city": "Oslo"}),
        ToolCallInfo("ti2", "other", {"city": "Oslo"}),
    ]


def test_what_a_callback_gives_for_a_tool_without_a_handler_is_the_result():
    for given, text in (("4 degrees", "4 degrees"), ({"temp": 4}, '{"temp": 4}')):
        assert results(Engine(invocation()), on_tool_call=lambda _call, given=given: given) == [("ti1", text)]


def test_what_such_a_callback_raises_is_told_the_model_and_logged_from_its_own_frame_on(caplog):
    def on_tool_call(_call):
        raise LookupError("no such city")

    caplog.set_level(logging.WARNING, "inferencesh")
    ((_, text),) = results(Engine(invocation()), on_tool_call=on_tool_call)
    assert json.loads(text) == {"error": "LookupError: no such city"}
    (record,) = caplog.records
    assert record.exc_info[2].tb_frame.f_code is on_tool_call.__code__


@pytest.mark.parametrize(
    "open_call", [invocation(), invocation(1, name="widget", type="internal")], ids=["tool", "form"]
)
def test_a_message_comes_back_with_the_call_that_only_its_sender_can_answer(open_call, caplog):
    caplog.set_level(logging.WARNING, "inferencesh")
    engine = Engine(open_call, answers=0)
    message = World(engine).client(plugins=PLUGINS).agent(with_tools()).send_message("hi")
    assert (message["id"], [each["id"] for each in message["tool_invocations"]]) == ("m2", ["ti1"])
    assert engine.posts == []
    (warning,) = caplog.messages
    assert "submit_tool_result('ti1'" in warning


def test_for_an_output_the_model_is_told_that_a_tool_nobody_can_run_is_not_available():
    engine = Engine(invocation())
    World(engine).client(plugins=PLUGINS).agent(with_tools()).run("hi")
    ((_, body, _),) = engine.posts
    assert json.loads(body["result"])["status"] == "not_available"


def test_a_call_may_be_answered_later_by_hand():
    engine = Engine(invocation(), answers=0)
    world = World(engine)
    agent = world.client(plugins=PLUGINS).agent(with_tools())
    calls = []
    agent.send_message("hi", on_tool_call=calls.append)
    assert engine.posts == []
    agent.submit_tool_result(calls[0].id, "4")
    agent.submit_tool_result(calls[0].id, {"action": {"type": "ok"}, "form_data": {"a": "b"}})
    assert [body for _, body, _ in engine.posts] == [
        {"result": "4"},
        {"result": '{"action":{"type":"ok"},"form_data":{"a":"b"}}'},
    ]
    for wrong in (7, None, ["x"], b"x"):
        with pytest.raises(TypeError, match="result"):
            agent.submit_tool_result("ti1", wrong)
    for wrong in ("", None, 7):
        with pytest.raises(ValueError, match="invocation"):
            agent.submit_tool_result(wrong, "x")


def test_a_result_for_an_unknown_or_finished_call_is_refused():
    agent = agent_in(answer({"detail": "no such invocation"}, status=404))
    with pytest.raises(AgentAPIError, match="404"):
        agent.submit_tool_result("ti9", "x")
    with pytest.raises(AgentAPIError, match="409"):
        agent_in(CONFLICT).submit_tool_result("ti1", "x")
    other = chat("busy", [message(2, tools=[invocation(1, "completed", result="y")])])
    with pytest.raises(AgentAPIError, match="409"):
        World([CONFLICT, answer(other)]).client(plugins=PLUGINS).agent(
            "a/b", chat_id="c1"
        ).submit_tool_result("ti1", "x")


def test_a_result_that_came_through_with_its_answer_lost_is_no_conflict():
    done = chat("busy", [message(2, tools=[invocation(1, "completed", result="x")])])
    world = World([cut(), CONFLICT, answer(done)])
    assert world.client(plugins=PLUGINS).agent("a/b", chat_id="c1").submit_tool_result("ti1", "x") is None
    assert lines(world) == ["POST /tools/ti1", "POST /tools/ti1", "GET /chats/c1"]


def test_a_handler_runs_once_however_often_its_call_is_told():
    ran = []
    engine = Engine(invocation(), answers=1)
    engine.waiting = engine.waiting * 3
    assert results(engine, weather(lambda _args: ran.append(1))) == [("ti1", "null")]
    assert ran == [1]


def test_a_result_the_server_already_has_is_delivered():
    assert results(Engine(invocation(), replies=[CONFLICT]), weather(lambda _args: "x")) == [("ti1", "x")]


def test_a_result_is_kept_until_the_server_can_be_given_it():
    ran = []
    down = [answer({"detail": "down"}, status=503)] * 5
    engine = Engine(invocation(), answers=6, replies=down)
    assert {text for _, text in results(engine, weather(lambda _args: ran.append(1) or "x"))} == {"x"}
    assert ran == [1]
    assert len(engine.posts) == 6


def test_a_result_that_is_refused_for_good_ends_the_waiting():
    engine = Engine(invocation(), replies=[answer({"detail": "forbidden"}, status=403)])
    with pytest.raises(AgentAPIError, match="forbidden"):
        sent(engine, weather(lambda _args: "x"))


def test_a_server_that_never_takes_a_result_is_given_up():
    engine = Engine(invocation(), answers=inf, replies=[answer({"detail": "down"}, status=500)] * 99)
    with pytest.raises(AgentAPIError, match="down"):
        sent(engine, weather(lambda _args: "x"))


class Interrupted(BaseException):
    pass


def test_a_handler_that_was_interrupted_is_not_run_again():
    ran = []

    def handler(_args):
        ran.append(1)
        raise Interrupted

    engine = Engine(invocation())
    agent = World(engine).client(plugins=PLUGINS).agent(with_tools(weather(handler)))
    with pytest.raises(Interrupted):
        agent.send_message("hi")
    assert engine.posts == []
    agent.stream_all()
    ((_, body, _),) = engine.posts
    assert "interrupted" in json.loads(body["result"])["error"]
    assert ran == [1]


def test_a_waiting_tool_is_taken_up_by_another_process():
    engine = Engine(invocation())
    agent = (
        World(engine).client(plugins=PLUGINS).agent(with_tools(weather(lambda _args: "sunny")), chat_id="c1")
    )
    agent.stream_all()
    assert [body for _, body, _ in engine.posts] == [{"result": "sunny"}]


def test_following_somebody_elses_chat_leaves_its_tools_alone():
    engine = Engine(invocation(), answers=0)
    World(engine).client(plugins=PLUGINS).agent("a/b", chat_id="c1").stream_all()
    assert engine.posts == []


def test_a_form_is_filled_in_by_whoever_is_told_of_calls():
    form = invocation(1, name="widget", type="internal")
    given = results(Engine(form), on_tool_call=lambda _call: {"form_data": {"a": "b"}})
    assert given == [("ti1", '{"form_data": {"a": "b"}}')]


def test_tools_that_others_run_are_left_to_them():
    engine = Engine(invocation(1, "in_progress", type="app"), answers=0)
    assert sent(engine) == []


def test_tool_calls_and_results_are_among_the_pieces():
    engine = Engine(invocation())
    pieces = list(
        World(engine).client(plugins=PLUGINS).agent(with_tools(weather(lambda _args: "sunny"))).stream("hi")
    )
    assert pieces[1:3] == [
        ToolCalled("ti1", "get_weather", {"city": "Oslo"}, "client"),
        ToolReturned("ti1", "get_weather", "r", "completed"),
    ]
    assert pieces[-1].message["id"] == "m3"


ASKING = invocation(1, "awaiting_approval", "delete", {"path": "/x"}, type="app", display_name="Delete")
REQUEST = ApprovalRequest("ti1", "delete", {"path": "/x"}, "Delete", "app", "c1")

DECISIONS = {
    "yes": (True, "POST /tools/ti1/invoke", {"arguments": {"path": "/x"}}),
    "no": (False, "POST /tools/ti1/reject", {}),
    "no, and why": (Rejection("too risky"), "POST /tools/ti1/reject", {"reason": "too risky"}),
    "always": (
        "always",
        "POST /chats/c1/tools/ti1/always-allow",
        {"tool_name": "delete", "arguments": {"path": "/x"}},
    ),
}


@pytest.mark.parametrize(("decision", "line", "body"), DECISIONS.values(), ids=DECISIONS)
def test_an_approval_is_asked_for_and_bound_to_what_was_shown(decision, line, body):
    requests = []

    def on_approval(request):
        requests.append(request)
        return decision

    engine = Engine(ASKING)
    sent(engine, on_approval=on_approval)
    assert requests == [REQUEST]
    assert [post[:2] for post in engine.posts] == [(line, body)]


def test_an_approval_may_be_decided_asynchronously():
    async def on_approval(_request):
        return True

    engine = Engine(ASKING)
    sent(engine, on_approval=on_approval)
    assert [line for line, _, _ in engine.posts] == ["POST /tools/ti1/invoke"]


def test_questions_are_asked_one_after_the_other():
    asked = []

    def on_approval(request):
        asked.append(request.id)
        return True

    other = invocation(2, "awaiting_approval", "delete", {"path": "/y"}, type="app")
    sent(Engine(ASKING, other), on_approval=on_approval)
    assert asked == ["ti1", "ti2"]


def test_without_a_decision_the_chat_waits_and_says_so(caplog):
    caplog.set_level(logging.WARNING, "inferencesh")
    for on_approval in (None, lambda _request: None):
        caplog.clear()
        engine = Engine(ASKING, answers=inf)
        with pytest.raises(TurnTimeoutError):
            sent(engine, on_approval=on_approval, timeout=30)
        (warning,) = caplog.messages
        for word in ("delete", "ti1", "approve_tool", "always_allow_tool", "reject_tool"):
            assert word in warning
        assert engine.posts == []


def test_a_decision_that_is_none_is_an_error():
    with pytest.raises(TypeError, match="on_approval"):
        sent(Engine(ASKING), on_approval=lambda _request: "yes")


def test_a_call_that_was_changed_is_asked_about_again():
    changed = {**ASKING, "function": {"name": "delete", "arguments": {"path": "/etc"}}}
    engine = Engine(ASKING, answers=2, replies=[CONFLICT])
    engine.waiting = [*waiting(ASKING), said(2, text="Let me look.", tools=[changed]), now("awaiting_input")]
    shown = []
    sent(engine, on_approval=lambda request: shown.append(request.args) or True)
    assert shown == [{"path": "/x"}, {"path": "/etc"}]
    assert [body["arguments"]["path"] for _, body, _ in engine.posts] == ["/x", "/etc"]


def test_a_request_is_among_the_pieces():
    engine = Engine(ASKING)
    agent = World(engine).client(plugins=PLUGINS).agent("a/b")
    pieces = []
    for piece in agent.stream("hi"):
        pieces.append(piece)
        if isinstance(piece, ApprovalRequest):
            agent.approve_tool(piece.id, piece.args)
    assert REQUEST in pieces
    assert [line for line, _, _ in engine.posts] == ["POST /tools/ti1/invoke"]


def test_decisions_by_hand():
    record = chat("awaiting_input", [message(2, tools=[ASKING])])
    world = World([TAKEN, TAKEN, TAKEN, TAKEN, answer(record), TAKEN, TAKEN])
    agent = world.client(plugins=PLUGINS).agent("a/b", chat_id="c1")
    agent.approve_tool("ti1")
    agent.approve_tool("ti1", {"path": "/x"})
    agent.reject_tool("ti1")
    agent.reject_tool("ti1", "no")
    agent.always_allow_tool("ti1")
    agent.always_allow_tool("ti1", "delete")
    assert [(seen.line, seen.body) for seen in world.seen] == [
        ("POST /tools/ti1/invoke", b""),
        ("POST /tools/ti1/invoke", b'{"arguments":{"path":"/x"}}'),
        ("POST /tools/ti1/reject", b"{}"),
        ("POST /tools/ti1/reject", b'{"reason":"no"}'),
        ("GET /chats/c1", b""),
        ("POST /chats/c1/tools/ti1/always-allow", b'{"tool_name":"delete"}'),
        ("POST /chats/c1/tools/ti1/always-allow", b'{"tool_name":"delete"}'),
    ]


def test_what_cannot_be_allowed_is_said():
    with pytest.raises(ValueError, match="no chat yet"):
        agent_in().always_allow_tool("ti1")
    with pytest.raises(ValueError, match="'ti1'"):
        agent_in(answer(chat()), chat_id="c1").always_allow_tool("ti1")
