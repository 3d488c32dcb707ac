"""What this package adds to inferencesh: the aiohttp transport."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inferencesh_core.errors import ConfigurationError
from inferencesh_core.plugins import hookimpl

if TYPE_CHECKING:
    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.transport import AsyncTransport

    from .aiohttp_transport import AiohttpTransport


@hookimpl(trylast=True)
def inferencesh_async_transport(config: ClientConfig) -> AsyncTransport:
    """Give the pooled aiohttp transport."""
    from .trust import Trust  # noqa: PLC0415 - unneeded when another one answers

    trust = Trust(config.verify)
    # Loading aiohttp takes so long that the authorities are read by then, on a machine with two processors.
    is_due = config.base_url.startswith("https:") and "aiohttp" not in sys.modules
    make = trust.read_during(_transport_class) if is_due else _transport_class()
    return make(config, trust)


def _transport_class() -> type[AiohttpTransport]:
    try:
        from .aiohttp_transport import AiohttpTransport  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ConfigurationError("the asynchronous client stands on aiohttp: pip install aiohttp") from None
    return AiohttpTransport
