"""What carries requests: the two protocols a transport implements, one for each world.

A transport performs one exchange at a time as asked: it follows no redirect, retries nothing, adds no
credentials and reads no ``.netrc``. It raises `inferencesh_core.errors.TransportError` and its
subclasses, and only those, for what the network does. A body that is an `UploadSource` it reads by the
source's `reader`, from whose `UploadError` it closes the connection and lets it pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .messages import Request, Response


class ResponseStream(Protocol):
    """A response whose body is still arriving. Header names are in lower case."""

    @property
    def status(self) -> int:
        """The status."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers."""

    def read(self, timeout: float | None) -> bytes:
        """Give the bytes that arrive next, ``b""`` at the end.

        Args:
            timeout: Seconds to wait, ``None`` for ever.

        Raises:
            ReadTimeoutError: nothing came in time; the stream is of no further use.
            TransportError: the connection broke.
        """

    def close(self) -> None:
        """Release the connection; from another thread, this also ends a `read` that waits."""


class ResponseStreamIntoBuffers(ResponseStream, Protocol):
    """One that can also be received where it is needed, which spares a copy."""

    def read_into(self, buffer: bytearray, start: int, timeout: float | None) -> int:
        """Put the bytes that arrive next into a buffer, from a place on; give how many, 0 at the end.

        There are 64 KB to its end at least. Otherwise as `read`.
        """


class Transport(Protocol):
    """Carries requests, blocking. Shared by threads."""

    def send(self, request: Request) -> Response:
        """Perform an exchange.

        Raises:
            TransportError: there is no response.
        """

    def open(self, request: Request) -> ResponseStream:
        """Perform an exchange up to the end of the response's header.

        Raises:
            TransportError: there is no response.
        """

    def close(self) -> None:
        """Close every connection; what other threads wait for ends in a `TransportError`."""


class AsyncResponseStream(Protocol):
    """The asyncio twin of `ResponseStream`."""

    @property
    def status(self) -> int:
        """The status."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers."""

    async def read(self, timeout: float | None) -> bytes:
        """See `ResponseStream.read`."""

    async def close(self) -> None:
        """Release the connection."""


class AsyncTransport(Protocol):
    """The asyncio twin of `Transport`."""

    async def send(self, request: Request) -> Response:
        """See `Transport.send`."""

    async def open(self, request: Request) -> AsyncResponseStream:
        """See `Transport.open`."""

    async def close(self) -> None:
        """Close every connection; see `Transport.close`."""
