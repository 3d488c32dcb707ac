"""What answers are on top of aiohttp's: closed at once, and streams read past it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from .chunked_body import ChunkedBody

if TYPE_CHECKING:
    from aiohttp.connector import Connection


class PromptResponse(aiohttp.ClientResponse):
    """A response whose connection ends at once when it is closed early."""

    def close(self) -> None:
        """Give up what has not come yet."""
        # Left to itself, an encrypted connection first waits half a minute for the server to say goodbye.
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.abort()
        super().close()

    def break_off(self) -> None:
        """Tell whoever reads from it, who would wait on, that the client is being closed."""
        _break_off(self.content)


class StreamResponse(PromptResponse):
    """A response whose body, where it comes in chunks, is read past aiohttp.

    Attributes:
        arriving: What streams are read from.
    """

    arriving: ChunkedBody | aiohttp.StreamReader

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Wait for the head."""
        if connection.transport is None or connection.protocol is None:
            return await super().start(connection)  # which will say that the connection is lost
        body = ChunkedBody(connection.transport, connection.protocol)
        try:
            await super().start(connection)
        except BaseException:
            body.leave_to_aiohttp()
            raise
        if _is_only_chunked(self):
            self.arriving = body
            body.take_over()
        else:
            self.arriving = self.content
            body.leave_to_aiohttp()
        return self

    def break_off(self) -> None:
        """Tell whoever reads from it; see `PromptResponse.break_off`."""
        _break_off(self.arriving)


def _break_off(content: ChunkedBody | aiohttp.StreamReader) -> None:
    content.set_exception(aiohttp.ClientConnectionError("the client was closed"))


def _is_only_chunked(response: aiohttp.ClientResponse) -> bool:
    headers = response.headers
    return headers.get("Transfer-Encoding", "").lower() == "chunked" and "Content-Encoding" not in headers
