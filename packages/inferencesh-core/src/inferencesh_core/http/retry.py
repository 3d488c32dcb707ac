"""When a call is tried again, and how long it waits before that. Pure decisions."""

from __future__ import annotations

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

DECLINED_STATUSES = frozenset({408, 425, 429, 503})
"""With these the server says it did not act, so any request may be repeated."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def backoff(failures: int, *, base: float, cap: float, luck: float) -> float:
    """Give the pause after ``failures`` failed tries, in seconds.

    Args:
        failures: Tries that failed so far, from 1.
        base: The upper end of the first pause; it doubles with each failure.
        cap: The upper end of every pause.
        luck: A random number from 0 to 1 (full jitter).
    """
    return luck * min(cap, base * 2.0 ** (failures - 1))


class RetryBudget:
    """Keeps an outage from multiplying load: a token bucket shared by all calls of a client.

    A retry takes a token, each new call brings most of one, and a call that ends well returns what its
    retries took. While everything fails, the server sees less than two requests for each call.
    """

    def __init__(self, capacity: float = 10.0, income: float = 0.8) -> None:
        self._capacity = capacity
        self._income = income
        self._tokens = capacity

    def call_started(self) -> None:
        """Count a new call."""
        self._add(self._income)

    def call_succeeded(self, retries: int) -> None:
        """Return what the retries of a call that ended well had taken."""
        if retries:
            self._add(retries)

    def allows_retry(self) -> bool:
        """Take a token for a retry; ``False`` when there is none."""
        # Races between threads may lose a token or two; the bound that matters is not that sharp.
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._capacity, self._tokens + tokens)
