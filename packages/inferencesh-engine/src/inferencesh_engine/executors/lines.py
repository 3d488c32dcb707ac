"""Bytes in any chunks to lines, without scanning a byte twice."""

from __future__ import annotations


class LineTooLongError(ValueError):
    """A line passed the limit before it ended."""


class LineBuffer:
    """Collects chunks and gives the lines they complete."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._parts: list[bytes] = []
        self._held_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends; raises `LineTooLongError`."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts, self._held_bytes = [], 0
        if rest:
            self._parts.append(rest)
            self._held_bytes += len(rest)
        longest = max(self._held_bytes, len(lines[0]) if lines else 0)
        if longest > self._max_line_bytes:
            raise LineTooLongError(f"a message is longer than {self._max_line_bytes} bytes")
        return lines
