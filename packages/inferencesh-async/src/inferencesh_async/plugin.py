"""What this package adds to inferencesh: the aiohttp transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.errors import ConfigurationError
from inferencesh_core.plugins import hookimpl

if TYPE_CHECKING:
    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.transport import AsyncTransport


@hookimpl(trylast=True)
def inferencesh_async_transport(config: ClientConfig) -> AsyncTransport:
    """Give the pooled aiohttp transport."""
    try:
        from .aiohttp_transport import AiohttpTransport  # noqa: PLC0415 - unneeded when another one answers
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ConfigurationError("the asynchronous client stands on aiohttp: pip install aiohttp") from None
    return AiohttpTransport(config)
