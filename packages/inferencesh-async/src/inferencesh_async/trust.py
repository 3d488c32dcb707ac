"""Whom a client trusts: the authorities are read once, on a thread, for that takes longer than a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferencesh_core.flow.apart import OwnThreads
from inferencesh_core.http.environment import tls_context

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future


class Trust:
    """Makes the TLS context of a client.

    Args:
        verify: As in `inferencesh_core.config.ClientConfig`.
    """

    def __init__(self, verify: bool | str) -> None:
        self._verify = verify
        self._reading: Future[ssl.SSLContext] | None = None

    async def context(self) -> ssl.SSLContext:
        """Give the context.

        Raises:
            ConfigurationError: the bundle of authorities cannot be read.
        """
        # Who no longer waits for it does not take it away from the others.
        return await asyncio.shield(asyncio.wrap_future(self._read()))

    def _read(self) -> Future[ssl.SSLContext]:
        if self._reading is None or (self._reading.done() and self._reading.exception()):
            # OpenSSL must not be at work when the interpreter takes it down.
            self._reading = OwnThreads(daemon=False).submit(tls_context, self._verify)
        return self._reading
