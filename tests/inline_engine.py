"""An engine whose workers live in the test's own process: real in every part but the process.

What an app does is in its task's input:
`{"do": "echo", ...}` gives the input back, `fail` fails, `hang` stays until cancelled or told to `release`,
`stream` gives `steps` partial outputs of `size` characters, `log` writes `text` `times` times, `die` ends the
worker, `file` gives the file at `path`, `draft` shows it in a partial output first and hangs, `remember`
adds `word` to what the worker knows and gives all that. The default is echo. The function `texts` does the
same for inputs that cannot hold files.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.engine import Engine
from inferencesh_engine.executors import WorkerExit
from inferencesh_engine.plugins import ExecutorChoice, hookimpl

TEXTS = {
    "type": "object",
    "properties": {"do": {"type": "string"}, "pad": {"type": "string"}},
    "additionalProperties": False,
}
DESCRIPTION = {
    "functions": {
        "run": {"name": "run", "description": "", "input_schema": {"type": "object"}, "output_schema": None},
        "texts": {"name": "texts", "description": "", "input_schema": TEXTS, "output_schema": None},
    },
    "default_function": "run",
    "setup_schema": None,
}


class InlineWorkers:
    """An executor, and the plugin that brings it.

    Attributes:
        calls: The metadata of every call, in order.
        workers: Every worker that was started.
    """

    def __init__(self, *, load_seconds=0.0):
        self.calls = []
        self.workers = []
        self.load_seconds = load_seconds
        self.hanging = asyncio.Event()
        self.gate = asyncio.Event()

    @hookimpl
    def inferencesh_executors(self):
        return [ExecutorChoice("inline", lambda _config: self)]

    async def open(self):
        pass

    async def close(self):
        pass

    async def start(self, _spec, listener):
        worker = InlineWorker(self, listener)
        self.workers.append(worker)
        asyncio.get_running_loop().call_later(
            self.load_seconds, worker.say, {"type": "loaded", "description": DESCRIPTION}
        )
        return worker


class InlineWorker:
    pid = None

    def __init__(self, workers, listener):
        self._workers = workers
        self._listener = listener
        self._running = {}
        self._alive = True
        self.memory = []
        self.setup = None
        self.unloaded = False

    def say(self, message):
        if self._alive:
            self._listener.on_message(message)

    def send(self, message):
        asyncio.get_running_loop().call_soon(self._hear, message)

    def pause(self, seconds):
        pass

    def kill(self):
        self._exit(-9)

    def _exit(self, code):
        if self._alive:
            self._alive = False
            for running in self._running.values():
                running.cancel()
            asyncio.get_running_loop().call_soon(self._listener.on_exit, WorkerExit(code))

    def _hear(self, message):
        if message["type"] == "setup":
            self.setup = message["setup"]
            self.say({"type": "ready"})
        elif message["type"] == "call":
            self._running[message["call"]] = asyncio.ensure_future(self._run(message))
        elif message["type"] == "cancel":
            self._running[message["call"]].cancel()
            self._failed(message["call"], "cancelled", "cancelled")
        elif message["type"] == "unload":
            self.unloaded = True
            self.say({"type": "unloaded"})
            self._exit(0)

    async def _run(self, message):
        call, given = message["call"], message["input"]
        self._workers.calls.append(message["metadata"])
        if not message.get("quiet"):
            self.say({"type": "started", "call": call})
        await getattr(self, f"_do_{given.get('do', 'echo')}")(call, given)

    def _result(self, call, output):
        self.say({"type": "result", "call": call, "output": output})

    def _failed(self, call, kind, error):
        self.say({"type": "failed", "call": call, "kind": kind, "error": error, "traceback": f"T: {error}"})

    async def _do_echo(self, call, given):
        self._result(call, given)

    async def _do_remember(self, call, given):
        self.memory.append(given["word"])
        self._result(call, {"memory": [*self.memory]})

    async def _do_fail(self, call, given):
        self._failed(call, "exception", given["error"])

    async def _do_hang(self, call, given):
        self._workers.hanging.set()
        await self._workers.gate.wait()
        self._result(call, given)

    async def _do_stream(self, call, given):
        for step in range(given["steps"]):
            self.say({"type": "output", "call": call, "output": {"step": step, "pad": "x" * given["size"]}})
            await asyncio.sleep(0)
        await self._do_hang(call, {"step": "last"}) if given.get("hang") else self._result(
            call, {"step": "last"}
        )

    async def _do_draft(self, call, given):
        file = {"path": given["path"], "filename": given["path"].rpartition("/")[2], "uri": given.get("uri")}
        self.say({"type": "output", "call": call, "output": {"pages": [file], "path": "as it is"}})
        await self._do_hang(call, {"pages": [file]})

    async def _do_log(self, call, given):
        for _ in range(given["times"]):
            self.say({"type": "log", "call": call, "log_type": 1, "content": given["text"]})
        self._result(call, {})

    async def _do_die(self, _call, _given):
        self._exit(1)

    async def _do_file(self, call, given):
        self._result(call, {"file": {"path": given["path"], "filename": given["path"].rpartition("/")[2]}})


def apps_folder(root, *, retry=None):
    """A folder with the app `inline`."""
    folder = root / "apps" / "inline"
    folder.mkdir(parents=True, exist_ok=True)
    retried = f"metadata:\n  retry: {retry}\n" if retry else ""
    (folder / "inf.yml").write_text(f"name: inline\n{retried}")
    (folder / "inference.py").write_text("")
    return folder.parent


@asynccontextmanager
async def running(root, workers=None, *, retry=None, **settings):
    """A started engine, its state in `root`."""
    config = EngineConfig(
        apps_dir=apps_folder(root, retry=retry), state_dir=root / "state", executor="inline", **settings
    )
    async with Engine(config, plugins=[workers or InlineWorkers()]) as engine:
        engine.base_url = "http://127.0.0.1:9"
        yield engine


async def ran(engine, **given):
    """The finished task of this input."""
    outcome = await engine.run({"app": "inline", "input": given})
    return await engine.wait(outcome.task["id"])


async def crash(engine):
    """Stop an engine without letting it say or write another word, as if it had been killed."""
    engine._ledger.close()
    engine._retention.cancel()
    await engine.pool.stop()
    await engine.store.close()
