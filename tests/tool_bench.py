"""What the runners of tools need to be tried: their services, an invocation, and chats kept in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from aiohttp import web

from inferencesh_engine.agents.tools.registry import ToolRegistry
from inferencesh_engine.agents.tools.runner import ChildEnd, Invocation, Tool, ToolError, ToolServices
from inferencesh_engine.catalog import Catalog
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.plugins import Hooks
from inferencesh_engine.settings import Settings


class MemoryChats:
    """Chats that remember, and whose children answer with `answer`, at once or when told to.

    Attributes:
        started: What children were started with.
        stopped: The ids of those that were stopped.
    """

    def __init__(self, answer=None):
        self.data = {}
        self.answer = answer or ChildEnd("a fine day")
        self.answering = asyncio.Event()
        self.waiting = asyncio.Event()
        self.started = []
        self.stopped = []

    async def start_child(self, invocation, agent, message):
        self.started.append((invocation.id, dict(agent), message))
        return f"child-of-{invocation.id}"

    async def child_ended(self, _chat_id):
        self.waiting.set()
        await self.answering.wait()
        return self.answer

    async def stop(self, chat_id):
        self.stopped.append(chat_id)

    def agent_data(self, chat_id):
        return self.data.get(chat_id, {})

    async def update_agent_data(self, chat_id, change):
        self.data[chat_id] = change(self.agent_data(chat_id))


class Bench:
    """A registry of runners, and what it was told.

    Attributes:
        config: The engine's.
        executions: The execution ids that runners have told.
        stopping: Whether the engine stops.
    """

    def __init__(self, config, engine, chats, settings, plugins):
        self.config = config
        self.chats = chats
        self.executions = []
        self.stopping = False
        services = ToolServices(
            config=config,
            catalog=engine.catalog if engine is not None else Catalog(config),
            pool=engine and engine.pool,
            tasks=engine,
            chats=chats,
            settings=settings,
            stopping=lambda: self.stopping,
        )
        self.registry = ToolRegistry(Hooks(plugins), services)

    async def offered(self, tool):
        return await self.registry.offered(tool)

    async def run(self, tool, arguments=None, **more):
        return await self.registry.run(invocation(tool, arguments or {}, **more), self._started)

    async def refusal(self, tool, arguments=None, **more):
        """The text of the error that running it raises."""
        try:
            outcome = await self.run(tool, arguments, **more)
        except ToolError as error:
            return str(error)
        raise AssertionError(f"it gave {outcome}")

    async def _started(self, execution_id):
        self.executions.append(execution_id)


@asynccontextmanager
async def bench(root, *, engine=None, chats=None, settings=None, plugins=(), **config):
    """A bench whose runners are closed at the end; addresses of this machine may be reached."""
    known = {"allow_private_addresses": True, "secrets": {}, **config}
    made = EngineConfig(apps_dir=root, state_dir=root / "state", **known)
    found = Bench(made, engine, chats or MemoryChats(), settings or Settings(), plugins)
    try:
        yield found
    finally:
        await found.registry.close()


@asynccontextmanager
async def listening(app):
    """A server of this aiohttp application on a free port; gives its URL."""
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def tool_of(kind, name="probe", **spec):
    return Tool(name=name, type=kind, spec=spec)


def invocation(tool, arguments, *, context=None, **more):
    known = {"id": "inv1", "chat_id": "chat1", "call_id": "call_1", **more}
    return Invocation(name=tool.name, arguments=arguments, tool=tool, context=context or {}, **known)
