"""What this package adds to inferencesh: a transport on asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.plugins import hookimpl

if TYPE_CHECKING:
    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.transport import AsyncTransport


@hookimpl(trylast=True)
def inferencesh_async_transport(config: ClientConfig) -> AsyncTransport:
    """Give the transport with pooled connections."""
    from .asyncio_transport import AsyncioTransport  # noqa: PLC0415 - unneeded when another one answers

    return AsyncioTransport(config)
