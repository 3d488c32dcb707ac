"""TLS apart from any socket: what was received is decrypted, and what is to be sent encrypted, in memory."""

from __future__ import annotations

import ssl
from typing import Any

NOTHING = memoryview(b"")


class TlsCodec:
    """The client's end of an encrypted connection.

    Args:
        context: Whom it trusts.
        host: Whom the certificate has to name.
        piece_bytes: How much is given to OpenSSL at once. The connection keeps as much memory as ever waited
            there.
    """

    __slots__ = ("_incoming", "_outgoing", "_piece_bytes", "_tls")

    def __init__(self, context: ssl.SSLContext, host: str, piece_bytes: int) -> None:
        self._piece_bytes = piece_bytes
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def shake_hands(self) -> bool:
        """Go on with the handshake; tell whether it is over.

        There may be something to send also where it fails: what is wrong, for the server to know.

        Raises:
            ssl.SSLError: The connection cannot be a secure one.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def receive(self, received: memoryview) -> None:
        """Take in what has come, for later."""
        if received:
            self._incoming.write(received)

    def receive_end(self) -> None:
        """Take note that nothing more will come."""
        self._incoming.write_eof()

    def decrypt(
        self, received: memoryview, buffer: memoryview
    ) -> tuple[int, memoryview, bool | ssl.SSLError]:
        """Fill a buffer with what came before and what has come now.

        Give how far, what was not needed for it, and whether or why nothing follows.
        """
        read: Any = self._tls.read  # which gives a number where it fills a buffer; its type does not tell
        count, size = 0, len(buffer)
        # To ask OpenSSL in vain costs an exception, and a turn of the interpreter among threads.
        needs_more = not self.holds_more and not self._incoming.eof
        while count < size:
            if needs_more:
                if not received:
                    break
                self._incoming.write(received[: self._piece_bytes])
                received = received[self._piece_bytes :]
            try:
                more = read(size - count, buffer[count:])
            except ssl.SSLWantReadError:
                needs_more = True
                continue
            except ssl.SSLError as error:
                return count, received, error
            if not more:
                return count, received, True
            count += more
            needs_more = not self._incoming.pending
        return count, received, False

    @property
    def holds_more(self) -> bool:
        """Whether something that came was not given yet."""
        return bool(self._incoming.pending or self._tls.pending())

    def encrypt(self, data: bytes | memoryview) -> None:
        """Prepare data to be sent."""
        self._tls.write(data)

    def to_send(self) -> bytes:
        """Give what is to be sent, ``b""`` when that is nothing."""
        return self._outgoing.read() if self._outgoing.pending else b""
