r"""Newline-delimited JSON, decoded as it arrives.

A line ends at the byte `\n` and nowhere else: U+2028 and its like are text inside strings. A line that is no
JSON is reported and passed over, because one broken line must not cost the stream; a line beyond the limit is
an error, because memory would be the price.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..json_codec import codec

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
        loads: Reads one line; raises ValueError for what is not JSON. The installed codec's by default.
        on_problem: Told of each line that is not clean JSON; by default they are logged.
        max_line_bytes: The longest line accepted, its end not counted.
    """

    def __init__(
        self,
        *,
        loads: Callable[[Line], Any] | None = None,
        on_problem: Callable[[LineProblem], None] = log_problem,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self._loads = loads or codec().loads
        self._on_problem = on_problem
        self._max_line_bytes = max_line_bytes
        self._lines_seen = 0
        # It grows without copying at each write, so a line of 1 MB costs the same in one chunk and in many.
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The values of the lines that this chunk completes.

        Raises:
            LineTooLongError: After the values before the long line.
        """
        # `split` looks at every byte by itself, which in a long line takes half as long as parsing it.
        pieces = BytesIO(chunk).readlines()
        rest = pieces.pop() if pieces and not chunk.endswith(b"\n") else b""
        lines: list[Line] = [piece[:-1] for piece in pieces]
        if lines:
            lines[0] = self._finish_line(lines[0])
        self._pending += rest
        return self._values(lines)

    def close(self) -> Iterator[Any]:
        r"""The value of a last line that had no `\n`, if there was one."""
        return self._values([self._finish_line(b"")])

    def _finish_line(self, end: Line) -> Line:
        if self._pending:
            self._pending += end
            end = self._pending
            self._pending = bytearray()
        return end if self._lines_seen else end.removeprefix(_BYTE_ORDER_MARK)

    def _values(self, lines: list[Line]) -> Iterator[Any]:
        first = self._lines_seen + 1
        self._lines_seen += len(lines)
        return self._decoded(first, lines)

    def _decoded(self, first: int, lines: list[Line]) -> Iterator[Any]:
        loads, limit = self._loads, self._max_line_bytes
        for number, line in enumerate(lines, first):
            if len(line) > limit:
                raise LineTooLongError(number, limit)
            try:
                value = loads(line)
            except (ValueError, RecursionError):
                yield from self._salvaged(number, line)
            else:
                yield value
        if len(self._pending) > limit:
            raise LineTooLongError(self._lines_seen + 1, limit)

    def _salvaged(self, number: int, line: Line) -> Iterator[Any]:
        if not line.strip():
            return
        text = line.decode(errors="replace")
        try:
            value = self._loads(text.encode())
        except (ValueError, RecursionError):
            self._on_problem(LineProblem(number, "not JSON", text[:_EXCERPT_CHARACTERS]))
        else:
            self._on_problem(LineProblem(number, "invalid UTF-8", text[:_EXCERPT_CHARACTERS]))
            yield value
