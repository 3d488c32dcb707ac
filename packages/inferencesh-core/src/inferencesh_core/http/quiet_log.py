"""urllib3 logs the address of each request; signatures, which stand in queries, stay out of its log."""

from __future__ import annotations

import logging
import threading
from typing import Any

_thread = threading.local()


class QuietPool:
    """Mixed into a pool of urllib3: what it logs of a request's address ends before the query."""

    def _make_request(self, *args: Any, **kwargs: Any) -> Any:
        _thread.is_ours = True
        try:
            return super()._make_request(*args, **kwargs)  # type: ignore[misc]
        finally:
            _thread.is_ours = False


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(_thread, "is_ours", False) and isinstance(record.args, tuple):
            record.args = tuple(map(_without_query, record.args))
        return True


def _without_query(value: object) -> object:
    return value.partition("?")[0] if isinstance(value, str) else value


# The logger is everybody's, so the filter looks at requests of our own pools only.
logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())
