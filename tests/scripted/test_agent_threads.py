"""Handlers of a synchronous agent really run side by side: the real driver and a scripted wire."""

import json
from threading import Barrier

import pytest

from chat_scripts import accepted, invocation, message, now, said
from inferencesh_agents import tool
from inferencesh_core.client import Inference
from inferencesh_core.testing.replies import Reply, answer
from inferencesh_core.testing.script import ScriptedServer

TOOLS = [invocation(number, args={"n": number}) for number in (1, 2, 3)]


class Wire(ScriptedServer):
    """A transport straight into a scripted server; what it says to wait for is not waited for."""

    now = 0.0

    def send(self, request):
        return self.exchange(request)[1]

    def open(self, request):
        body = self.opening(request)[1]
        body.read = lambda timeout: body.next(timeout)[1]
        return body

    def close(self):
        pass


class Engine:
    def __init__(self, tools=TOOLS):
        self.tools = tools
        self.results = {}

    def __call__(self, seen):
        if seen.line == "POST /agents/run":
            return accepted()
        if seen.line == "GET /chats/c1/stream":
            return Reply(steps=self.steps())
        self.results[seen.line.rpartition("/")[2]] = seen.json["result"]
        return answer(None)

    def steps(self):
        closed = [{**each, "status": "completed"} for each in self.tools]
        for line in (now("busy"), said(2, tools=self.tools), now("awaiting_input")):
            yield json.dumps(line).encode() + b"\n"
        assert len(self.results) == len(self.tools)
        for line in (now("busy"), said(2, tools=closed), said(3, text="done"), now("idle")):
            yield json.dumps(line).encode() + b"\n"


def agent_of(engine, handler):
    client = Inference("key", "https://api.scripted.test", transport=Wire(engine))
    config = {"core_app": {"ref": "acme/model"}, "tools": [tool("get_weather").handler(handler)]}
    return client.agents.create(config)


def test_several_tools_of_one_message_run_at_once():
    together = Barrier(3, timeout=10)

    def handler(args):
        together.wait()
        return str(args["n"])

    engine = Engine()
    assert agent_of(engine, handler).send_message("hi") == message(3, text="done")
    assert engine.results == {"ti1": "1", "ti2": "2", "ti3": "3"}


def test_an_interrupt_passes_and_its_tool_is_not_run_a_second_time():
    ran = []

    def handler(args):
        ran.append(args["n"])
        raise KeyboardInterrupt

    engine = Engine(TOOLS[:1])
    agent = agent_of(engine, handler)
    with pytest.raises(KeyboardInterrupt) as held:
        agent.send_message("hi")
    agent.stream_all()
    assert "interrupted" in engine.results["ti1"]
    assert ran == [1]
    del held
