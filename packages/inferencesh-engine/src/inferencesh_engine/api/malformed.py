"""What is said of requests that are no HTTP: scanners and mistaken clients send them, and get their 400."""

from __future__ import annotations

import logging

from aiohttp.http import HttpProcessingError

logger = logging.getLogger("inferencesh.engine.http")


def _is_worth_a_trace(record: logging.LogRecord) -> bool:
    """A line for whoever looks for it is enough; a trace through the parser tells nobody anything."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError):
        return True
    logger.debug("a request that is no HTTP was refused: %s", error.message.partition("\n")[0])
    return False


logger.addFilter(_is_worth_a_trace)
