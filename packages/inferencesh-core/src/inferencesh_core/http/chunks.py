r"""The chunked transfer coding, decoded as it arrives: many small chunks at once, as event streams have."""

from __future__ import annotations

from typing import TypeAlias

Block: TypeAlias = "bytes | bytearray"

_MAX_SIZE_LINE_BYTES = 4096
_LINE_END = b"\r\n"
_HEXADECIMAL = b"0123456789abcdefABCDEF"

_WORTH_A_VIEW = 1024
"""Bytes; of less, a copy is made sooner than a view."""


_WORTH_MOVING_EACH = 32
"""More parts are put together before they are moved."""


class ChunkError(ValueError):
    """The framing of a chunked body is broken."""


class ChunkDecoder:
    r"""Takes the framing off a chunked body, cut anywhere.

    >>> decoder = ChunkDecoder()
    >>> decoder.feed(b"3\r\nabc\r\n2"), decoder.feed(b"\r\nde\r\n0\r\n\r\n"), decoder.finished
    (b'abc', b'de', True)
    """

    __slots__ = ("_in_trailer", "_left", "_pending", "finished")

    def __init__(self) -> None:
        self.finished = False
        """Whether the last chunk and what follows it have come."""
        self._left = 0
        """Bytes of the chunk at hand still to come, its line end included."""
        self._pending = b""
        self._in_trailer = False

    @property
    def has_excess(self) -> bool:
        """Whether more came than the body."""
        return self.finished and bool(self._pending)

    def feed(self, block: Block, start: int = 0, end: int | None = None) -> bytes:
        """Give the content in the next bytes of the body, those of a block from ``start`` to ``end``.

        Raises:
            ChunkError: they are no chunked body.
        """
        end = len(block) if end is None else end
        if self._is_all_content(end - start):
            return block[start:end] if isinstance(block, bytes) else bytes(memoryview(block)[start:end])
        return b"".join(self._parts(block, start, end))

    def strip(self, block: bytearray, start: int, end: int) -> int:
        """Do as `feed` in place: leave only the content in the block, and give where it ends now.

        Raises:
            ChunkError: the bytes are no chunked body.
        """
        # What is still to come of the chunk at hand is where it should be.
        content_end = start if self._pending else start + max(0, self._left - len(_LINE_END))
        if self._is_all_content(end - start):
            return end
        parts = self._parts(block, start, end)
        if content_end > start:
            del parts[0]
        if len(parts) > _WORTH_MOVING_EACH:
            parts = [b"".join(parts)]
        with memoryview(block) as view:
            for part in parts:
                start, content_end = content_end, content_end + len(part)
                view[start:content_end] = part
        return content_end

    def _is_all_content(self, size: int) -> bool:
        """Whether so many bytes are but a part of the chunk at hand; they are taken for received then."""
        if size > self._left - len(_LINE_END):
            return False
        self._left -= size
        return True

    def _parts(self, block: Block, start: int, end: int) -> list[Block | memoryview]:
        """Give the content, in parts."""
        if self._pending:
            block = self._pending + bytes(memoryview(block)[start:end])
            start, end = 0, len(block)
        parts: list[Block | memoryview] = []
        position = start if self._in_trailer else self._chunks(block, start, end, parts)
        if self._in_trailer:
            position = self._trailer(block, position, end)
        self._pending = bytes(block[position:end])
        return parts

    def _chunks(self, block: Block, position: int, end: int, parts: list[Block | memoryview]) -> int:
        """Collect the content; give where the part begins that needs more bytes."""
        # A call for each chunk would take as long as all the rest: events come one to a chunk.
        view, left = memoryview(block)[:end], self._left
        between: tuple[bytes, ...] = ()
        while True:
            if not left:
                newline = block.find(_LINE_END, position, end)
                if newline < 0:
                    self._check_line(end - position)
                    break
                line = bytes(block[position:newline])
                size = _size_in(line)
                position = newline + 2
                if not size:
                    self._in_trailer = True
                    break
                left, between = size + 2, (_LINE_END + line + _LINE_END,)
            source = block if left < _WORTH_A_VIEW else view
            stop = position + left
            parts.append(source[position : min(stop - 2, end)])
            # The chunks of a proxy are of one size, those of events of a few.
            while stop <= end and block.startswith(between, stop - 2, end):
                position = stop - 2 + len(between[0])
                stop = position + left
                parts.append(source[position : min(stop - 2, end)])
            if stop > end:
                position = min(stop - 2, end)
                left = stop - position
                break
            if not block.startswith(_LINE_END, stop - 2):
                raise ChunkError(f"{bytes(block[stop - 2 : min(stop + 38, end)])!r} does not end a chunk")
            position, left = stop, 0
        self._left = left
        return position

    def _trailer(self, block: Block, position: int, end: int) -> int:
        while (newline := block.find(_LINE_END, position, end)) >= 0:
            if newline == position:
                self.finished = True
                return newline + 2
            position = newline + 2
        self._check_line(end - position)
        return position

    def _check_line(self, length: int) -> None:
        if length > _MAX_SIZE_LINE_BYTES:
            raise ChunkError(f"a chunk's size is not told within {_MAX_SIZE_LINE_BYTES} bytes")


def _size_in(line: bytes) -> int:
    digits = line.split(b";", 1)[0].rstrip(b" \t")
    # What `int` takes besides, signs and underscores, others read differently.
    if not digits or digits.strip(_HEXADECIMAL):
        raise ChunkError(f"{line[:40]!r} is no size of a chunk")
    return int(digits, 16)
