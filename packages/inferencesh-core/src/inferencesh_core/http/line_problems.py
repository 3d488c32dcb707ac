"""What is told of lines that were not clean JSON."""

from __future__ import annotations

import logging
from typing import NamedTuple

_EXCERPT_CHARACTERS = 200


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

    @classmethod
    def of(cls, number: int, reason: str, text: str) -> LineProblem:
        """Give the problem of a line."""
        return cls(number, reason, text[:_EXCERPT_CHARACTERS])


def log_problem(problem: LineProblem) -> None:
    """Write the problem as a warning to the logger `inferencesh`."""
    logging.getLogger("inferencesh").warning("stream line %d is %s: %r", *problem)
