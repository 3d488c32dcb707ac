r"""Newline-delimited JSON, decoded as it arrives.

A line ends at the byte `\n` and nowhere else: U+2028 and its like are text inside strings. A line that is no
JSON is reported and passed over, because one broken line must not cost the stream; a line beyond the limit is
an error, because memory would be the price.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..json_codec import codec
from ..memory import WORTH_KEEPING, keep_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Line: TypeAlias = "bytes | bytearray"

MAX_LINE_BYTES = 64 * 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXCERPT_CHARACTERS = 200


class LineTooLongError(ValueError):
    """A line is longer than the limit; the decoder cannot go on after it."""

    def __init__(self, number: int, limit: int) -> None:
        super().__init__(
            f"line {number} of the stream is longer than {limit} bytes; raise max_line_bytes if that is right"
        )


class LineProblem(NamedTuple):
    """A line that was not clean JSON.

    Attributes:
        number: Which line of the stream, from 1.
        reason: `not JSON` (the line is lost) or `invalid UTF-8` (replaced by U+FFFD, the value was used).
        excerpt: The beginning of the line, at most 200 characters.
    """

    number: int
    reason: str
    excerpt: str


def log_problem(problem: LineProblem) -> None:
    """Write the problem as a warning to the logger `inferencesh`."""
    import logging  # noqa: PLC0415 - needed only once something is wrong

    logging.getLogger("inferencesh").warning("stream line %d is %s: %r", *problem)


class LineDecoder:
    r"""Turns chunks of bytes, cut anywhere, into the values of their lines.

    Hand `feed` each chunk and iterate over its answer to the end; after the last chunk, over that of `close`.

    >>> decoder = LineDecoder()
    >>> list(decoder.feed(b'{"a": 1}\n{"b"')), list(decoder.feed(b": 2}")), list(decoder.close())
    ([{'a': 1}], [], [{'b': 2}])

    Args:
        loads: Reads one line and keeps nothing of it; raises ValueError for what is not JSON. By default the
            installed codec's.
        on_problem: Told of each line that is not clean JSON; by default they are logged.
        max_line_bytes: The longest line accepted, its end not counted.
    """

    __slots__ = ("_length", "_line", "_lines_seen", "_loads", "_max_line_bytes", "_on_problem")

    def __init__(
        self,
        *,
        loads: Callable[[Line], Any] | None = None,
        on_problem: Callable[[LineProblem], None] = log_problem,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self._loads = codec().loads if loads is None else partial(_without_end, loads)
        self._on_problem = on_problem
        self._max_line_bytes = max_line_bytes
        self._lines_seen = 0
        # The line whose end has not come. It is written over by the next one: memory that is fresh from the
        # system costs more than filling it, and lines of 1 MB would ask for it again and again.
        self._line: bytearray | None = None
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The values of the lines that this chunk completes.

        Raises:
            LineTooLongError: After the values before the long line.
        """
        if len(chunk) >= WORTH_KEEPING:
            keep_memory()
        end = chunk.rfind(b"\n") + 1
        # `split` looks at every byte by itself, which in a long line takes half as long as parsing it.
        lines: list[Line] = [*BytesIO(chunk).readlines(end)] if end else []
        return self._decoded(lines, memoryview(chunk)[end:])

    def close(self) -> Iterator[Any]:
        r"""The value of a last line that had no `\n`, if there was one."""
        return self._decoded([b""], memoryview(b""))

    def _decoded(self, lines: list[Line], rest: memoryview) -> Iterator[Any]:
        loads, limit = self._loads, self._max_line_bytes + len(b"\n")
        if lines:
            lines[0] = self._finished(lines[0])
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
        if rest:
            self._keep(rest)
        if self._length > self._max_line_bytes:
            raise LineTooLongError(self._lines_seen + 1, self._max_line_bytes)

    def _keep(self, piece: memoryview) -> bytearray:
        line = bytearray() if self._line is None else self._line
        start = self._length
        room = len(line) - start
        with memoryview(line) as writable:
            writable[start : start + len(piece)] = piece[:room]
        line += piece[room:]
        self._line, self._length = line, start + len(piece)
        return line

    def _finished(self, end: Line) -> Line:
        """The line at hand with its end, to be read before the next is kept."""
        if self._length:
            line = self._keep(memoryview(end))
            del line[self._length :]
            end, self._length = line, 0
        return end if self._lines_seen else end.removeprefix(_BYTE_ORDER_MARK)

    def _salvaged(self, number: int, line: Line) -> Iterator[Any]:
        if not line.strip():
            return
        text = line.decode(errors="replace").removesuffix("\n")
        try:
            value = self._loads(text.encode())
        except (ValueError, RecursionError):
            self._on_problem(LineProblem(number, "not JSON", text[:_EXCERPT_CHARACTERS]))
        else:
            self._on_problem(LineProblem(number, "invalid UTF-8", text[:_EXCERPT_CHARACTERS]))
            yield value


def _without_end(loads: Callable[[Line], Any], line: Line) -> Any:
    return loads(line.removesuffix(b"\n"))
