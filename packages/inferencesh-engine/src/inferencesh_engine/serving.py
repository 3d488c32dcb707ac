"""An engine with its HTTP server, started in the least time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from .api import Server
    from .config import EngineConfig
    from .engine import Engine


@asynccontextmanager
async def serving(
    config: EngineConfig, *, allow_origins: Iterable[str] = (), own_process: bool = False
) -> AsyncIterator[tuple[Engine, Server]]:
    """A started engine and the server that listens for it; both stop in the end.

    Args:
        config: What the engine is told.
        allow_origins: Origins of web pages that may call.
        own_process: Whether nothing but the engine runs in this process.

    Raises:
        EngineStartError: as these two do.
    """
    from .engine import Engine  # noqa: PLC0415 - heavy, and not every process that names it starts one
    from .listening import Listening  # noqa: PLC0415 - the same

    with Listening(config.host, config.port) as listening:
        engine = Engine(config)
        engine.base_url = listening.base_url
        async with engine:
            if own_process:
                from .partial_packages import load_aiohttp_server  # noqa: PLC0415 - not for others

                load_aiohttp_server()
            from .api import Server  # noqa: PLC0415 - half of a start: a spare worker gets ready meanwhile

            async with Server(engine, allow_origins=allow_origins, listening=listening) as server:
                yield engine, server
