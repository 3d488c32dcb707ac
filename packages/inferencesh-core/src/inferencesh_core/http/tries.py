"""The tries of one logical call: which failures are tried again, after what pause, and until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import TransportError
from ..flow.effects import now, sleep
from .problems import parse_problem
from .retry import DECLINED_STATUSES, RETRIED_STATUSES, backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..config import ClientConfig
    from ..flow.effects import Flow
    from .messages import Request, Response
    from .problems import Problem
    from .retry import RetryBudget

IN_PROGRESS = "idempotency_in_progress"
"""The code of a 409 that means: the first request with this key is still being answered."""


class Tries:
    """Performs one call as often as needed.

    Args:
        config: How many tries, and their pauses.
        budget: What the client's calls may repeat together.
        luck: Gives random numbers from 0 to 1.
        watch: Told of each try by its number, from 1.
        may_repeat: Tells, in at most so many seconds, whether a request that the server may have acted on can
            be sent again.
        is_final: Tells of a failing response whether another try cannot help, whatever its status.
    """

    def __init__(
        self,
        config: ClientConfig,
        budget: RetryBudget,
        luck: Callable[[], float],
        watch: Callable[[int], AbstractContextManager[Any]],
        may_repeat: Callable[[float | None], Flow[bool]],
        is_final: Callable[[Response], bool],
    ) -> None:
        self._config = config
        self._budget = budget
        self._luck = luck
        self._watch = watch
        self._may_repeat = may_repeat
        self._is_final = is_final
        self.failures: list[str] = []
        """What went wrong so far, oldest first."""

    def answer(
        self, request: Request, exchange: Callable[[Request], Flow[Response]], seconds: float | None
    ) -> Flow[Response]:
        """Give the first response that need not be tried again, or the last one there was.

        Args:
            request: What to send.
            exchange: How to send it.
            seconds: The time for all tries together, ``None`` for no limit.

        Raises:
            TransportError: the last try had no response; it lists what was tried.
        """
        self._budget.call_started()
        end = None if seconds is None else (yield from now()) + seconds
        left = seconds
        while True:
            outcome: Response | TransportError
            try:
                with self._watch(len(self.failures) + 1):
                    outcome = yield from exchange(request.within(left))
            except TransportError as error:
                outcome = error
            if not (yield from self._is_repeated(outcome, end)):
                return self._concluded(outcome)
            pause = self._pause(outcome)
            # Without a limit of its own, a call still does not wait for longer than any call would.
            left = self._config.deadline - pause if end is None else end - (yield from now()) - pause
            if left <= 0:
                return self._concluded(outcome)
            yield from sleep(pause)
            left = None if end is None else left

    def _is_repeated(self, outcome: Response | TransportError, end: float | None) -> Flow[bool]:
        if isinstance(outcome, TransportError):
            self.failures.append(str(outcome))
            declined = not outcome.sent
            hopeless = outcome.final
        elif outcome.status in RETRIED_STATUSES or _is_in_progress(outcome):
            self.failures.append(f"HTTP {outcome.status}")
            declined = outcome.status in DECLINED_STATUSES or outcome.status == 409
            hopeless = self._is_final(outcome)
        else:
            self._budget.call_succeeded(len(self.failures))
            return False
        if hopeless or len(self.failures) >= self._config.max_attempts or not self._budget.allows_retry():
            return False
        left = None if end is None else end - (yield from now())
        if left is not None and left <= 0:
            return False
        return declined or (yield from self._may_repeat(left))

    def _pause(self, outcome: Response | TransportError) -> float:
        if not isinstance(outcome, TransportError):
            asked = problem_of(outcome).retry_after
            if asked is not None:
                return asked
        config = self._config
        return backoff(
            len(self.failures), base=config.backoff_base, cap=config.backoff_cap, luck=self._luck()
        )

    def _concluded(self, outcome: Response | TransportError) -> Response:
        if not isinstance(outcome, TransportError):
            return outcome
        if len(self.failures) > 1:
            outcome.attempts = tuple(reversed(self.failures))
        raise outcome


def problem_of(response: Response) -> Problem:
    """Read a failing response."""
    return parse_problem(response.status, response.headers, response.body, now=time.time())


def _is_in_progress(response: Response) -> bool:
    return response.status == 409 and problem_of(response).code == IN_PROGRESS
