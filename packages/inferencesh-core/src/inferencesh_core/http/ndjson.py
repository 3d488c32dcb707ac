r"""Newline-delimited JSON, decoded as it arrives.

A line ends at the byte `\n` and nowhere else: U+2028 and its like are text inside strings. A line that is no
JSON is reported and passed over, because one broken line must not cost the stream; a line beyond the limit is
an error, because memory would be the price.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from ..json_codec import codec
from ..memory import WORTH_KEEPING, keep_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .line_problems import LineProblem

Line: TypeAlias = "bytes | bytearray"

MAX_LINE_BYTES = 64 * 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHORT_BYTES = 4 * 1024
"""Lines below this come many at a time, and are split together."""

_ROOM_BYTES = 64 * 1024

_LARGE_ROOM_BYTES = 1024 * 1024
"""For a stream of which much is there at once: what each piece costs in calls is more than its memory."""


class LineTooLongError(ValueError):
    """A line is longer than the limit; the decoder cannot go on after it."""

    def __init__(self, number: int, limit: int) -> None:
        super().__init__(
            f"line {number} of the stream is longer than {limit} bytes; raise max_line_bytes if that is right"
        )


class LineDecoder:
    r"""Turns chunks of bytes, cut anywhere, into the values of their lines.

    Hand `feed` each chunk and iterate over its answer to the end; after the last chunk, over that of `close`.

    >>> decoder = LineDecoder()
    >>> list(decoder.feed(b'{"a": 1}\n{"b"')), list(decoder.feed(b": 2}")), list(decoder.close())
    ([{'a': 1}], [], [{'b': 2}])

    Who can receive into a buffer spares a copy: he puts bytes where there is `room`, says how many he
    `received`, and iterates over `lines`.

    Args:
        loads: Reads one line and keeps nothing of it; raises ValueError for what is not JSON. By default the
            installed codec's.
        on_problem: Told of each line that is not clean JSON; by default they are logged.
        max_line_bytes: The longest line accepted, its end not counted.
    """

    __slots__ = (
        "_buffer",
        "_chunk",
        "_chunk_start",
        "_end",
        "_is_fast",
        "_lines_seen",
        "_loads",
        "_loads_within",
        "_max_line_bytes",
        "_on_problem",
        "_searched",
        "_start",
    )

    def __init__(
        self,
        *,
        loads: Callable[[Line], Any] | None = None,
        on_problem: Callable[[LineProblem], None] | None = None,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self._loads: Callable[[Line], Any]
        self._loads_within: Callable[[Line, int, int], Any]
        if loads is None:
            self._loads, self._loads_within, _ = codec()
        else:
            self._loads, self._loads_within = partial(_without_end, loads), partial(_within, loads)
        self._on_problem = on_problem
        self._max_line_bytes = max_line_bytes
        self._lines_seen = 0
        # Where a line is kept whose end has not come, and how far it was searched for one. The next line is
        # written over it: memory that is fresh from the system costs more than filling it.
        self._buffer = bytearray()
        self._start = self._searched = self._end = 0
        self._is_fast = False
        self._chunk, self._chunk_start = b"", 0

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The values of the lines that this chunk completes.

        Raises:
            LineTooLongError: After the values before the long line.
        """
        self.add(chunk)
        return self.lines()

    def close(self) -> Iterator[Any]:
        r"""The value of a last line that had no `\n`, if there was one."""
        return self.feed(b"\n")

    def add(self, chunk: bytes) -> None:
        """Take in a chunk, for `lines`."""
        if len(chunk) >= WORTH_KEEPING:
            keep_memory()
        start = 0
        if self._end > self._start:
            start = chunk.find(b"\n") + 1 or len(chunk)
            self._keep(memoryview(chunk)[:start])
        self._chunk, self._chunk_start = chunk, start

    def room(self) -> tuple[bytearray, int]:
        """Where to put what comes next: into this buffer, from this place to its end; never resize it."""
        self._make_room(_LARGE_ROOM_BYTES if self._is_fast else _ROOM_BYTES, _ROOM_BYTES)
        return self._buffer, self._end

    def received(self, count: int) -> None:
        """Take in so many bytes that were put where there was `room`, for `lines`."""
        self._end += count
        if not self._is_fast and count >= _ROOM_BYTES // 2:
            self._is_fast = True
            keep_memory()

    def lines(self) -> Iterator[Any]:
        """The values of the lines that are complete; all have to be asked for before more is taken in.

        Raises:
            LineTooLongError: After the values before the long line.
        """
        if self._end > self._start:
            self._start = yield from self._values(self._buffer, self._start, self._searched, self._end)
            self._searched = self._end
        if self._chunk:
            chunk, start, self._chunk = self._chunk, self._chunk_start, b""
            rest = yield from self._values(chunk, start, start, len(chunk))
            self._keep(memoryview(chunk)[rest:])
            self._searched = self._end
        if self._end - self._start > self._max_line_bytes:
            raise LineTooLongError(self._lines_seen + 1, self._max_line_bytes)

    def _values(self, data: Line, start: int, searched: int, end: int) -> Generator[Any, None, int]:
        """Give the values of the lines in a part of ``data``, which has no end of one before ``searched``.

        Return where the line begins that is not complete.
        """
        newline = data.find(b"\n", searched, end)
        if newline >= 0 and not self._lines_seen and data.startswith(_BYTE_ORDER_MARK, start, end):
            start += len(_BYTE_ORDER_MARK)
        while newline >= 0:
            if newline - start < _SHORT_BYTES:
                after = data.rfind(b"\n", newline, end) + 1
                yield from self._values_of(_split(data, start, after))
                return after
            self._lines_seen += 1
            if newline - start > self._max_line_bytes:
                raise LineTooLongError(self._lines_seen, self._max_line_bytes)
            try:
                value = self._loads_within(data, start, newline)
            except (ValueError, RecursionError):
                yield from self._salvaged(self._lines_seen, data[start:newline])
            else:
                yield value
            start = newline + 1
            newline = data.find(b"\n", start, end)
        return start

    def _values_of(self, lines: list[bytes]) -> Iterator[Any]:
        """Give the values of lines most of which are short: to split them all at once is quicker then."""
        loads, limit = self._loads, self._max_line_bytes + len(b"\n")
        for number, line in enumerate(lines, self._lines_seen + 1):
            if len(line) > limit:
                raise LineTooLongError(number, self._max_line_bytes)
            try:
                value = loads(line)
            except (ValueError, RecursionError):
                yield from self._salvaged(number, line)
            else:
                yield value
        self._lines_seen += len(lines)

    def _keep(self, piece: memoryview) -> None:
        size = len(piece)
        self._make_room(size, size)
        with memoryview(self._buffer) as writable:
            writable[self._end : self._end + size] = piece
        self._end += size

    def _make_room(self, wanted: int, least: int) -> None:
        """Have as much room as is wanted, or almost: to get more than the least, the buffer does not grow."""
        buffer, kept = self._buffer, self._end - self._start
        if kept and len(buffer) - self._end >= wanted:
            return
        if len(buffer) - kept < least or len(buffer) < wanted:
            self._buffer = bytearray(max(kept + wanted, 2 * len(buffer)))
        with memoryview(self._buffer) as room, memoryview(buffer) as source:
            room[:kept] = source[self._start : self._end]
        self._start, self._searched, self._end = 0, self._searched - self._start, kept

    def _salvaged(self, number: int, line: Line) -> Iterator[Any]:
        if not line.strip():
            return
        from .line_problems import LineProblem, log_problem  # noqa: PLC0415 - lines are clean, as a rule

        tell = self._on_problem or log_problem
        text = line.decode(errors="replace").removesuffix("\n")
        try:
            value = self._loads(text.encode())
        except (ValueError, RecursionError):
            tell(LineProblem.of(number, "not JSON", text))
        else:
            tell(LineProblem.of(number, "invalid UTF-8", text))
            yield value


def _without_end(loads: Callable[[Line], Any], line: Line) -> Any:
    return loads(line.removesuffix(b"\n"))


def _within(loads: Callable[[Line], Any], data: Line, start: int, end: int) -> Any:
    return loads(data[start:end])


def _split(data: Line, start: int, end: int) -> list[bytes]:
    # `split` looks at every byte by itself, which in a long line takes half as long as parsing it.
    if isinstance(data, bytearray):
        return BytesIO(data[start:end]).readlines()
    stream = BytesIO(data)
    stream.seek(start)
    return stream.readlines(end - start)
