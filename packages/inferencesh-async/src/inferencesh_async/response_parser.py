"""Responses of HTTP/1.1, taken from what a connection receives, however the network cuts it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inferencesh_core.http.chunks import ChunkDecoder, ChunkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferencesh_core.http.chunks import Block

LONGEST_HEAD_BYTES = 64 * 1024

_HEAD_TOO_LONG = f"its head is longer than {LONGEST_HEAD_BYTES} bytes"
_BLANKS = " \t\r"
_MOST_DIGITS = 18
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9]\d\d)(?: |\r?$)")
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({101, 204, 304})


class ResponseError(ValueError):
    """What came is no response."""


class ResponseParser:
    r"""Takes one response apart.

    >>> parser = ResponseParser()
    >>> wire = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    >>> parser.feed(wire, len(wire)), parser.status, parser.headers, parser.is_finished
    (b'hello', 200, {'content-length': '5'}, True)

    Attributes:
        status: The status; 0 until the head has come.
        headers: The headers, names in lower case, values of one name joined.
        is_finished: Whether all of it has come.
        length: The bytes of the body where they were announced.

    Args:
        method: The method of the request.
    """

    __slots__ = (
        "_chunks",
        "_has_excess",
        "_is_kept_alive",
        "_left",
        "_pending",
        "_to_be_without_body",
        "_unpack",
        "headers",
        "is_finished",
        "length",
        "status",
    )

    def __init__(self, method: str = "GET") -> None:
        self._to_be_without_body = method == "HEAD"
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_finished = False
        self.length: int | None = None
        self._left = 0
        self._chunks: ChunkDecoder | None = None
        self._unpack: Callable[[bytes], bytes] | None = None
        self._is_kept_alive = False
        self._has_excess = False
        self._pending = b""

    @property
    def leaves_connection_open(self) -> bool:
        """Whether another request may follow on the connection."""
        return self.is_finished and self._is_kept_alive and not self._has_excess

    def feed(self, block: Block, size: int) -> bytes:
        """Give the content in what came next, the first ``size`` bytes of a block.

        Raises:
            ResponseError: it is no response.
        """
        start = 0
        if not self.status:
            if self._pending:
                block = self._pending + bytes(memoryview(block)[:size])
                size = len(block)
            start, is_complete = self._take_heads(block, size)
            if not is_complete:
                self._pending = bytes(memoryview(block)[start:size])
                if len(self._pending) > LONGEST_HEAD_BYTES:
                    raise ResponseError(_HEAD_TOO_LONG)
                return b""
            self._pending = b""
        content = self._content_in(block, start, size)
        if self._unpack is None:
            return content
        try:
            return self._unpack(content)
        except ValueError as error:
            raise ResponseError(str(error)) from error

    def end(self) -> None:
        """Take note that the connection ended.

        Raises:
            ResponseError: more should have come.
        """
        if self.is_finished or (self.status and self.length is None and self._chunks is None):
            self.is_finished = True
            return
        raise ResponseError("the server closed it" if not self.status else "it ended within the response")

    def _take_heads(self, block: Block, size: int) -> tuple[int, bool]:
        """Read the head, and those before it that only announce another.

        Give where the rest begins, and whether the head was there.
        """
        start = 0
        while found := _END_OF_HEAD.search(block, start, size):
            if found.end() - start > LONGEST_HEAD_BYTES:
                raise ResponseError(_HEAD_TOO_LONG)
            head = str(memoryview(block)[start : found.start()], "latin-1")
            start = found.end()
            status_line, *lines = head.split("\n")
            line = _STATUS_LINE.match(status_line)
            if line is None:
                raise ResponseError(f"{status_line[:80]!r} is no status line of HTTP/1.1")
            status = int(line[2])
            if status < 200 and status != _SWITCHING_PROTOCOLS:
                continue
            self.status, self.headers = status, _fields(lines)
            self._find_framing(is_newest=line[1] == "1")
            return start, True
        return start, False

    def _find_framing(self, *, is_newest: bool) -> None:
        headers = self.headers
        options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
        self._is_kept_alive = "close" not in options if is_newest else "keep-alive" in options
        if self.status == _SWITCHING_PROTOCOLS:  # to which nobody agreed
            self._is_kept_alive = False
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if self._to_be_without_body or self.status in _WITHOUT_BODY:
            self.is_finished = True
        elif coding is not None:
            if coding.strip().lower() != "chunked":
                raise ResponseError(f"its Transfer-Encoding is {coding[:80]!r}")
            self._chunks = ChunkDecoder()
            # Whoever sends both may be two who understand each other wrongly.
            self._is_kept_alive = self._is_kept_alive and length is None
        elif length is not None:
            self.length = self._left = _length_in(length)
            self.is_finished = not self._left
        else:
            self._is_kept_alive = False
        if packing := headers.get("content-encoding"):
            from inferencesh_core.http.packed import unpacker  # noqa: PLC0415 - bodies are hardly ever packed

            self._unpack = unpacker(packing)

    def _content_in(self, block: Block, start: int, size: int) -> bytes:
        if self.is_finished:
            self._has_excess = self._has_excess or start < size
            return b""
        if self._chunks is not None:
            try:
                content = self._chunks.feed(block, start, size)
            except ChunkError as error:
                raise ResponseError(str(error)) from error
            self.is_finished, self._has_excess = self._chunks.finished, self._chunks.has_excess
            return content
        stop = size
        if self.length is not None:
            stop = min(size, start + self._left)
            self._left -= stop - start
            self.is_finished, self._has_excess = not self._left, stop < size
        return bytes(memoryview(block)[start:stop])


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"} and name:  # an old way to write long values
            fields[name] += " " + line.strip(_BLANKS)
            continue
        written, colon, value = line.partition(":")
        if not colon or not _FIELD_NAME.fullmatch(written):
            raise ResponseError(f"{line[:80]!r} is no header")
        name, value = written.lower(), value.strip(_BLANKS)
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _length_in(value: str) -> int:
    lengths = {each.strip(_BLANKS) for each in value.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()) or len(length) > _MOST_DIGITS:
        raise ResponseError(f"its Content-Length is {value[:80]!r}")
    return int(length)
