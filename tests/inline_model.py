"""A chat engine whose model is a function of the test: what it gets, and what it then says.

The model is called with the core app's input and gives an output or a list of them, the last being final.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.engine import Engine
from inline_engine import InlineWorker, InlineWorkers

AGENT = {"core_app": {"ref": "local/model"}}
MODEL_APP = "namespace: local\nname: model\n"


class ModelWorkers(InlineWorkers):
    """Workers that are the model.

    Attributes:
        inputs: What the model was given, in order.
        waits: When set to an event, the model waits for it before its last output.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.inputs = []
        self.waits = None

    async def start(self, _spec, listener):
        worker = ModelWorker(self, listener)
        self.workers.append(worker)
        asyncio.get_running_loop().call_soon(worker.say, {"type": "loaded", "description": DESCRIPTION})
        return worker


class ModelWorker(InlineWorker):
    async def _run(self, message):
        call, given, workers = message["call"], message["input"], self._workers
        workers.inputs.append(given)
        self.say({"type": "started", "call": call})
        try:
            outputs = workers.model(given)
        except ValueError as error:
            self._failed(call, "exception", str(error))
            return
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for output in outputs[:-1]:
            self.say({"type": "output", "call": call, "output": output})
            await asyncio.sleep(0)
        if workers.waits is not None:
            workers.hanging.set()
            await workers.waits.wait()
        self._result(call, outputs[-1])


_NUMBER = {"type": "number", "minimum": 0, "maximum": 1}
DESCRIPTION = {
    "functions": {
        "run": {
            "name": "run",
            "description": "",
            "input_schema": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "temperature": _NUMBER},
                "required": ["text"],
            },
            "output_schema": None,
        }
    },
    "default_function": "run",
    "setup_schema": None,
}


@asynccontextmanager
async def chatting(folder, model, *, plugins=(), **config):
    """A started engine with the model `local/model`; gives it and its workers."""
    app = folder / "model"
    app.mkdir(exist_ok=True)
    (app / "inf.yml").write_text(MODEL_APP)
    workers = ModelWorkers(model)
    settings = EngineConfig(apps_dir=folder, executor="inline", **config)
    async with Engine(settings, plugins=[workers, *plugins]) as engine:
        yield engine, workers


def says(text, *calls, **more):
    """An output with a text and tool calls made by `calls`."""
    return {"response": text, **({"tool_calls": list(calls)} if calls else {}), **more}


def calls(name, arguments, call_id="call_1"):
    """A tool call as models make them, its arguments as text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def client_tool(name, properties=None, **more):
    """A client tool with these properties, all required."""
    properties = properties or {}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "name": name,
        "type": "client",
        "description": f"does {name}",
        "client": {"input_schema": schema},
        **more,
    }


def answers(*outputs):
    """A model that says these one after the other, and the last one again and again."""
    left = list(outputs)

    def model(_given):
        return left.pop(0) if len(left) > 1 else left[0]

    return model


async def until(engine, chat_id, status):
    """The chat once it has this status."""
    if engine.agents.chats.get(chat_id)["status"] != status:
        async for event in engine.agents.chats.follow(chat_id):
            if event.name == "chats" and event.data["status"] == status:
                break
    return engine.agents.chats.get(chat_id)


async def told(engine, text, *, agent=AGENT, status="idle", **body):
    """The chat after something was said to the agent, once it has this status."""
    sent = await engine.agents.chats.run({"agent_config": agent, "input": {"text": text}, **body})
    return await until(engine, sent.live.id, status)


def text_of(message):
    """The text of a message."""
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")


def error_of(message):
    """Why a message has failed."""
    return next(part["error"] for part in message["content"] if part["error"])
