"""The `local:` endpoint: an engine in the background, or the one that already serves the folder."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from dataclasses import replace
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

from inferencesh_app.manifest import MANIFEST_NAME
from inferencesh_core.errors import ConfigurationError
from inferencesh_core.plugins import Endpoint

from .config import EngineConfig
from .domain.problems import EngineBusyError
from .presence import TOKEN_FILE, Presence, find_presence
from .served_folder import AGENTS_FOLDER, has_something
from .serving import serving
from .signpost import state_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEME = "local:"
PROBE_SECONDS = 2.0
STOP_SECONDS = 15.0
# An engine that stops lets its apps unload, and cuts off those that take too long.
HAND_OVER_SECONDS = 20.0
HAND_OVER_PAUSE_SECONDS = 0.05
_EXAMPLE = "local:examples/apps"


def open_local(base_url: str) -> Endpoint | None:
    """The endpoint of the engine for a `local:PATH` address; None for other addresses.

    The first client of a folder starts the engine, on a free loopback port; the last one to close stops it.
    An engine that already serves the folder is used as it is, and left running. Should it end, its clients go
    over to the one that there is then, or start one themselves.

    Raises:
        ConfigurationError: there is no such folder, or no app in it.
        EngineStartError: the engine cannot start.
    """
    if not base_url.startswith(SCHEME):
        return None
    return _opened(EngineConfig(apps_dir=_apps_folder(base_url)))


def _opened(config: EngineConfig) -> Endpoint:
    """The engine of this process or another one's; only one that has to be started needs the state folder."""
    folder = config.apps_dir
    with _lock:
        engine = _running.get(folder)
        if engine is None or not engine.runs:
            found = _serving(config) or _started(config)
            if isinstance(found, Endpoint):
                return found
            engine = _running[folder] = found
        engine.clients += 1
    close = _closer(folder, engine)
    return Endpoint(engine.base_url, engine.token, close, renew=partial(_opened, engine.config))


class BackgroundEngine:
    """An engine and its server on an event loop of their own, in a thread of this process.

    Attributes:
        clients: How many clients use it.
        config: What it was told.
    """

    base_url: str
    token: str

    def __init__(self, config: EngineConfig) -> None:
        self.clients = 0
        self.config = config
        self._error: BaseException | None = None
        self._ready = threading.Event()
        # A daemon, so that a program which forgets to close its client still ends. Nothing is lost then:
        # tasks are on disk, and workers end with the process.
        self._thread = threading.Thread(target=self._run, name=f"engine of {config.apps_dir}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    @property
    def runs(self) -> bool:
        """Whether it has not stopped, by itself or by request."""
        return self._thread.is_alive()

    def let_go(self) -> None:
        """In a forked child: hold none of the engine's sockets and pipes open.

        Its clients and workers would not notice its end otherwise, as long as the child lives. The numbers
        stay taken: what finalizers in the child close later must not be a file that it has opened since.
        """
        selector = getattr(getattr(self, "_loop", None), "_selector", None)
        opened = list(selector.get_map() or ()) if selector is not None else []
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in opened:
            os.dup2(nowhere, fd, inheritable=False)
        os.close(nowhere)

    def stop(self) -> None:
        """Stop the engine and its workers."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        _alive.add(self)
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
            self._error = error
        finally:
            _alive.discard(self)
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        async with serving(self.config) as (engine, server):
            self.base_url, self.token = str(engine.base_url), server.token
            self._ready.set()
            await self._stopping.wait()


_alive: set[BackgroundEngine] = set()
_running: dict[Path, BackgroundEngine] = {}
_lock = threading.Lock()


def _forget_after_fork() -> None:
    """A forked child has no threads, so no engines: it joins the parent's like any other process."""
    global _lock  # noqa: PLW0603 - the parent may have held it at the fork
    _lock = threading.Lock()
    _running.clear()
    while _alive:
        _alive.pop().let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _closer(folder: Path, engine: BackgroundEngine) -> Callable[[], None]:
    closed = threading.Event()

    def close() -> None:
        with _lock:
            if closed.is_set() or _running.get(folder) is not engine:
                return
            closed.set()
            engine.clients -= 1
            if not engine.clients:
                del _running[folder]
                engine.stop()

    return close


def _apps_folder(base_url: str) -> Path:
    path = base_url[len(SCHEME) :]
    if not path:
        raise ConfigurationError(f"base_url {base_url!r} names no folder: write {_EXAMPLE!r}")
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ConfigurationError(
            f"base_url {base_url!r}: {folder} {what}; name a folder that holds app folders"
        )
    if not has_something(folder):
        raise ConfigurationError(
            f"base_url {base_url!r}: no app in {folder}; an app is a folder in it with {MANIFEST_NAME}, "
            f"an agent a file {AGENTS_FOLDER}/NAME.yml"
        )
    return folder


def _started(config: EngineConfig) -> BackgroundEngine | Endpoint:
    """A new engine, or the one that another process started, or had not quite stopped, at the same moment."""
    deadline = time.monotonic() + HAND_OVER_SECONDS
    while True:
        try:
            return BackgroundEngine(config)
        except EngineBusyError:  # noqa: PERF203 - it waits anyway
            serving = _serving(config)
            if serving is not None:
                return serving
            if time.monotonic() > deadline:
                raise
            time.sleep(HAND_OVER_PAUSE_SECONDS)


def _serving(config: EngineConfig) -> Endpoint | None:
    """An engine that serves the folder, wherever its state is."""
    usual = config.usual_state_path
    places = (usual, state_elsewhere(usual), config.state_path)
    joined = (_joined(config, place) for place in dict.fromkeys(places) if place is not None)
    return next((endpoint for endpoint in joined if endpoint is not None), None)


def _joined(config: EngineConfig, state_dir: Path) -> Endpoint | None:
    presence = find_presence(state_dir)
    if presence is None or not _answers(presence):
        return None
    try:
        token = (state_dir / TOKEN_FILE).read_text().strip()
    except OSError:  # it has stopped in this moment, and somebody has cleared up
        return None
    # Its tasks are there, so whoever takes its place goes on with them.
    renew = partial(_opened, replace(config, state_dir=state_dir))
    return Endpoint(presence.url, token, lambda: None, renew)


def _answers(presence: Presence) -> bool:
    """Whether that very engine is there. Its token must not go to a stranger who got its port later."""
    try:
        with build_opener(ProxyHandler({})).open(f"{presence.url}/health", timeout=PROBE_SECONDS) as answer:
            health = json.loads(answer.read())
    except (OSError, HTTPException, ValueError, RecursionError):
        return False
    answered = health.get("data") if isinstance(health, dict) else None
    return isinstance(answered, dict) and answered.get("instance") == presence.instance
