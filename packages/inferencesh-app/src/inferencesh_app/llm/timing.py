"""How long a model takes: until its first token, thinking, in all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Timing:
    """A stopwatch for one answer; all times are in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.start_time = clock()
        self.first_token_time: float | None = None
        self.reasoning_start_time: float | None = None
        self.total_reasoning_time = 0.0
        self.reasoning_tokens = 0
        self.in_reasoning = False

    def mark_first_token(self) -> None:
        """Say that a token has come; only the first time counts."""
        if self.first_token_time is None:
            self.first_token_time = self._clock()

    def start_reasoning(self) -> None:
        """Say that the model has begun to think; nothing happens if it was thinking already."""
        if not self.in_reasoning:
            self.reasoning_start_time = self._clock()
            self.in_reasoning = True

    def end_reasoning(self, token_count: int = 0) -> None:
        """Say that the model has stopped thinking, after so many tokens; nothing happens if it was not."""
        if self.reasoning_start_time is not None:
            self.total_reasoning_time += self._clock() - self.reasoning_start_time
            self.reasoning_tokens += token_count
        self.reasoning_start_time = None
        self.in_reasoning = False

    @property
    def stats(self) -> dict[str, Any]:
        """Times so far; zero for what has not happened. Thinking counts when it has ended."""
        first = self.first_token_time
        return {
            "time_to_first_token": 0.0 if first is None else first - self.start_time,
            "generation_time": 0.0 if first is None else self._clock() - first,
            "reasoning_time": self.total_reasoning_time,
            "reasoning_tokens": self.reasoning_tokens,
        }


@contextmanager
def timing_context(clock: Callable[[], float] = time.time) -> Iterator[Timing]:
    """Start a stopwatch for an answer.

    Example:
        with timing_context() as timing:
            for token in model.generate(prompt):
                timing.mark_first_token()
        print(timing.stats["time_to_first_token"])
    """
    yield Timing(clock)
