"""`GET /health`: is an engine there, and which one."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .routes import Route

if TYPE_CHECKING:
    from .call import Call

VERSION = version("inferencesh-engine")


def health_routes(instance: str) -> tuple[Route, Route]:
    """The routes; by `instance`, who found this engine in a state folder tells it from a stranger."""
    answer = {"status": "ok", "version": VERSION, "instance": instance}

    async def health(_: Call) -> dict[str, Any]:
        return answer

    summary = "Whether the engine is up, and which one it is"
    return (
        Route("GET", "/health", health, summary, open=True),
        Route("HEAD", "/health", health, summary, open=True),
    )
