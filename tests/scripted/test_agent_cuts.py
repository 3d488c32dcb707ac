"""Cuts, repeats and lost answers at every step of a turn with tools; the server is a model, time is virtual.

Whatever happens, a handler runs once for each invocation, the server takes its result once, callbacks come
once for each change and never go back, and the message given is the finished one.
"""

import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_scripts import CHAT, HEARTBEAT, PLUGINS, chat, invocation, lines, message
from inferencesh_agents import tool
from inferencesh_core.errors import TransportError
from inferencesh_core.testing.replies import Reply, answer, cut, refused
from inferencesh_core.testing.world import World

ENDS = ("eof", "reset", "half a line", "silence")
POST_FAULTS = ("unseen", "unanswered", 500, 503)
GET_FAULTS = ("reset", 500, 503)


@pytest.fixture(autouse=True)
def _alone(caplog, monkeypatch):
    """No warnings of the troubles made here, no search for installed plugins with each of many clients."""
    caplog.set_level(logging.CRITICAL, "inferencesh")
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


@dataclass
class Connection:
    """How one stream goes: lines told before it ends, how it ends, and whether each line comes twice."""

    lines: int
    end: str
    doubled: bool = False


@dataclass
class Server:
    """One chat whose model asks for ``rounds`` of tools, one after the other, and then answers."""

    rounds: list
    connections: list = field(default_factory=list)
    run_faults: list = field(default_factory=list)
    tool_faults: list = field(default_factory=list)
    get_faults: list = field(default_factory=list)
    kind: str = "client"
    chats: dict = field(default_factory=dict)
    taken: dict = field(default_factory=dict)
    approved: set = field(default_factory=set)
    log: list = field(default_factory=list)
    status: str = "idle"
    messages: dict = field(default_factory=dict)
    round: int = 0

    def __call__(self, seen):
        verb, _, path = seen.line.partition(" ")
        if path == "/health":
            return answer({}, headers={"accept-idempotency-key": "yes"})
        if path == "/agents/run":
            return self.faulty(self.run_faults, lambda: self.run(seen.headers["Idempotency-Key"]))
        if verb == "POST":
            return self.faulty(self.tool_faults, lambda: self.tool(path.split("/"), seen))
        if path.endswith("/stream"):
            plan = self.connections.pop(0) if self.connections else Connection(1 << 30, "eof")
            return Reply(steps=self.steps(plan))
        if self.get_faults:
            return self.fault(self.get_faults.pop(0))
        return answer(chat(self.status, [self.messages[key] for key in sorted(self.messages)]))

    def faulty(self, faults, act):
        if not faults:
            return act()
        fault = faults.pop(0)
        if fault == "unanswered":
            act()
        return self.fault(fault)

    def fault(self, fault):
        if isinstance(fault, int):
            return answer({"detail": "down"}, status=fault)
        return refused() if fault == "unseen" else cut()

    def run(self, key):
        if key not in self.chats:
            self.chats[key] = CHAT
            self.tell_message(1, "ready", "hi", role="user")
            self.begin()
        first = {"user_message": self.messages[1], "assistant_message": {**message(2, "pending")}}
        return answer(first, headers={"idempotent-replayed": "true"} if self.round else {})

    def begin(self):
        self.tell_chat("busy")
        self.tell_message(2, "pending")

    def tool(self, parts, seen):
        own = parts[2] if parts[1] == "tools" else parts[4]
        if own in self.taken or (own in self.approved and len(parts) > 3):
            return answer({"detail": "finished"}, status=409)
        if len(parts) > 3:
            assert seen.json == {"arguments": {"n": int(own[2:])}}
            self.approved.add(own)
            self.taken[own] = "approved"
        else:
            self.taken[own] = seen.json["result"]
        self.ask()
        return answer(None)

    def open_status(self):
        return "awaiting_input" if self.kind == "client" else "awaiting_approval"

    def ask(self):
        """Tell of the present round's tools, as they stand; go on when all are answered."""
        wanted = self.rounds[self.round]
        number = 2 + self.round
        tools = [
            invocation(each, "completed", args={"n": each}, result=self.taken[f"ti{each}"], type=self.kind)
            if f"ti{each}" in self.taken
            else invocation(each, self.open_status(), args={"n": each}, type=self.kind)
            for each in wanted
        ]
        self.tell_message(number, "ready", "Let me look.", tools)
        if all(f"ti{each}" in self.taken for each in wanted):
            self.round += 1
            self.tell_chat("busy")
            self.tell_message(number + 1, "pending")
        else:
            self.tell_chat("awaiting_input")

    def advance(self):
        """Let the model do one thing; tell whether there was any."""
        if self.status != "busy":
            return False
        number = 2 + self.round
        written = "".join(part.get("text", "") for part in self.messages[number]["content"])
        if self.round < len(self.rounds):
            self.ask()
        elif len(written) < 4:
            self.tell_message(number, "pending", "done"[: len(written) + 2])
        else:
            self.tell_message(number, "ready", "done")
            self.tell_chat("idle")
        return True

    def tell_message(self, number, *args, **more):
        self.messages[number] = message(number, *args, **more)
        self.log.append({"event": "chat_messages", "data": self.messages[number]})

    def tell_chat(self, status):
        self.status = status
        self.log.append({"event": "chats", "data": chat(status)})

    def replay(self):
        shown = [self.messages[number] for number in sorted(self.messages) if number > 1]
        if self.status == "idle":
            shown = shown[-1:]
        yield from ({"event": "chat_messages", "data": each} for each in shown)
        yield {"event": "chats", "data": chat(self.status)}

    def events(self):
        position = len(self.log)
        yield from self.replay()
        while True:
            if position < len(self.log):
                yield self.log[position]
                position += 1
            elif not self.advance():
                yield None

    def steps(self, plan):
        for count, event in enumerate(self.events()):
            if count >= plan.lines:
                break
            if event is None:
                yield 10.0
            line = json.dumps(event or HEARTBEAT).encode() + b"\n"
            yield line * (1 + plan.doubled)
        if plan.end == "reset":
            yield TransportError("scripted: reset")
        elif plan.end == "half a line":
            yield b'{"event": "chat_mess'
        elif plan.end == "silence":
            yield 1000.0


CONNECTIONS = st.lists(
    st.builds(Connection, st.integers(0, 9), st.sampled_from(ENDS), st.booleans()), max_size=8
)
ROUNDS = st.sampled_from([[], [[1]], [[1, 2]], [[1], [2]], [[1, 2, 3], [4]]])


def play(server, **options):
    ran, told = [], []

    def handler(args):
        ran.append(args["n"])
        return f"result {args['n']}"

    world = World(server)
    client = world.client(plugins=PLUGINS)
    config = {"core_app": {"ref": "m"}, "tools": [tool("get_weather").handler(handler, timeout=inf)]}
    given = client.agents.create(config).send_message("hi", on_message=told.append, **options)
    return given, ran, told, world


def assert_told_once(told):
    assert all(Counter(json.dumps(each) for each in told)[key] == 1 for key in map(json.dumps, told))
    for number in {each["id"] for each in told}:
        texts = [json.dumps(each["content"]) for each in told if each["id"] == number]
        statuses = [each["status"] for each in told if each["id"] == number]
        assert [len(text) for text in texts] == sorted(len(text) for text in texts)
        assert statuses == sorted(statuses)  # pending, ready


@settings(max_examples=120, deadline=None)
@given(
    rounds=ROUNDS,
    connections=CONNECTIONS,
    run_faults=st.lists(st.sampled_from(POST_FAULTS), max_size=2),
    tool_faults=st.lists(st.sampled_from(POST_FAULTS), max_size=6),
    get_faults=st.lists(st.sampled_from(GET_FAULTS), max_size=3),
)
def test_a_tool_runs_once_and_its_result_is_taken_once(
    rounds, connections, run_faults, tool_faults, get_faults
):
    server = Server(rounds, connections, run_faults, tool_faults, get_faults)
    called = []
    given, ran, told, world = play(server, on_tool_call=lambda call: called.append(call.id))
    wanted = [each for group in rounds for each in group]
    assert given["id"] == f"m{2 + len(rounds)}"
    assert given["content"][0]["text"] == "done"
    assert sorted(ran) == wanted
    assert called == [f"ti{each}" for each in wanted]
    assert server.taken == {f"ti{each}": f"result {each}" for each in wanted}
    assert list(server.chats.values()) == [CHAT]
    assert_told_once(told)
    assert world.open_streams == 0


@settings(max_examples=60, deadline=None)
@given(
    rounds=ROUNDS,
    connections=CONNECTIONS,
    tool_faults=st.lists(st.sampled_from(POST_FAULTS), max_size=6),
    get_faults=st.lists(st.sampled_from(GET_FAULTS), max_size=3),
)
def test_an_approval_is_asked_for_once_and_given_once(rounds, connections, tool_faults, get_faults):
    server = Server(rounds, connections, [], tool_faults, get_faults, kind="app")
    asked = []
    given, ran, _, _ = play(server, on_approval=lambda request: asked.append(request.id) or True)
    assert given["content"][0]["text"] == "done"
    assert ran == []
    assert asked == [f"ti{each}" for group in rounds for each in group]
    assert server.approved == set(asked)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("place", range(12))
def test_a_cut_at_every_line_of_a_call_changes_nothing(place, end):
    server = Server([[1, 2]], [Connection(place, end)])
    given, ran, told, world = play(server)
    assert given["content"][0]["text"] == "done"
    assert sorted(ran) == [1, 2]
    assert_told_once(told)
    assert "POST /agents/run" in lines(world)
