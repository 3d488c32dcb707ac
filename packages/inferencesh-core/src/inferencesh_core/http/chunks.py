r"""The chunked transfer coding, decoded as it arrives: many small chunks at once, as event streams have."""

from __future__ import annotations

_MAX_SIZE_LINE_BYTES = 4096


class ChunkError(ValueError):
    """The framing of a chunked body is broken."""


class ChunkDecoder:
    r"""Takes the framing off a chunked body, cut anywhere.

    >>> decoder = ChunkDecoder()
    >>> decoder.feed(b"3\r\nabc\r\n2"), decoder.feed(b"\r\nde\r\n0\r\n\r\n"), decoder.finished
    (b'abc', b'de', True)
    """

    def __init__(self) -> None:
        self.finished = False
        """Whether the last chunk and what follows it have come."""
        self._left = 0
        self._content_ended = False
        self._pending = b""
        self._in_trailer = False

    def feed(self, block: bytes) -> bytes:
        """Give the content in the next bytes of the body.

        Raises:
            ChunkError: they are no chunked body.
        """
        if self._left > len(block):
            self._left -= len(block)
            return block
        block = self._pending + block
        parts: list[bytes] = []
        position = self._content(block, 0, self._left, parts) if self._left else 0
        self._pending = block[self._chunks(block, position, parts) :]
        return b"".join(parts)

    def _chunks(self, block: bytes, position: int, parts: list[bytes]) -> int:
        """Collect the content from ``position`` on; give where the part begins that needs more bytes."""
        end = len(block)
        while position < end and not self._in_trailer:
            if self._content_ended:
                if not block.startswith(b"\r\n", position):
                    return self._line_end_to_come(block, position)
                position += 2
                self._content_ended = False
            newline = block.find(b"\r\n", position)
            if newline < 0:
                self._check_line(end - position)
                return position
            size = _size_in(block[position:newline])
            position = newline + 2
            self._in_trailer = not size
            if size:
                position = self._content(block, position, size, parts)
        return self._trailer(block, position) if self._in_trailer else position

    def _content(self, block: bytes, position: int, size: int, parts: list[bytes]) -> int:
        """Collect what there is of a chunk's content; give where it ends."""
        stop = position + size
        parts.append(block[position:stop])
        self._left = max(0, stop - len(block))
        self._content_ended = not self._left
        return min(stop, len(block))

    def _line_end_to_come(self, block: bytes, position: int) -> int:
        if block[position:] != b"\r":
            raise ChunkError(f"{block[position : position + 40]!r} does not end a chunk")
        return position

    def _trailer(self, block: bytes, position: int) -> int:
        while (newline := block.find(b"\r\n", position)) >= 0:
            if newline == position:
                self.finished = True
                return len(block)
            position = newline + 2
        self._check_line(len(block) - position)
        return position

    def _check_line(self, length: int) -> None:
        if length > _MAX_SIZE_LINE_BYTES:
            raise ChunkError(f"a chunk's size is not told within {_MAX_SIZE_LINE_BYTES} bytes")


def _size_in(line: bytes) -> int:
    try:
        size = int(line.split(b";", 1)[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise ChunkError(f"{line[:40]!r} is no size of a chunk")
    return size
