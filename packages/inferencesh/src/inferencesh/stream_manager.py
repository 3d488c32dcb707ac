"""Dispatching the messages of any event source to callbacks, with reconnects."""

from __future__ import annotations

import logging
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("inferencesh")


class StreamManager:
    """Reads messages from an event source until stopped.

    A message with ``data`` and ``fields`` goes to `on_partial_data`, or its ``data`` to `on_data` where there
    is no such callback; any other message goes to `on_data` whole.

    Args:
        create_event_source: Gives an iterable of messages; its ``close``, if it has one, is called after use.
        auto_reconnect: Connect anew after a source that gave messages ended.
        max_reconnects: Failures in a row after which to give up; a message, or an end without failure, starts
            the count anew.
        reconnect_delay_ms: The pause before each new connection, in milliseconds.
        on_error: Called with each failure, of the source or of a callback; without it failures are logged.
        on_start: Called before each connection.
        on_stop: Called by `stop`.
        on_data: Called with a message.
        on_partial_data: Called with the data and the names of its fields that changed.
    """

    def __init__(
        self,
        *,
        create_event_source: Callable[[], Any],
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        on_error: Callable[[Exception], None] | None = None,
        on_start: Callable[[], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        on_data: Callable[[dict[str, Any]], None] | None = None,
        on_partial_data: Callable[[dict[str, Any], list[str]], None] | None = None,
    ) -> None:
        self._create_event_source = create_event_source
        self._auto_reconnect = auto_reconnect
        self._max_reconnects = max_reconnects
        self._delay = reconnect_delay_ms / 1000
        self._on_error = on_error
        self._on_start = on_start
        self._on_stop = on_stop
        self._on_data = on_data
        self._on_partial_data = on_partial_data
        self._stopped = Event()
        self._failures = 0
        self._heard = False

    def stop(self) -> None:
        """Make `connect` return: at once from a pause, else when the next message arrives."""
        self._stopped.set()
        if self._on_stop is not None:
            self._on_stop()

    def connect(self) -> None:
        """Read until stopped, until there is nothing to reconnect, or until there were too many failures."""
        self._stopped.clear()
        self._failures, self._heard = 0, False
        while self._connect_once() and not self._stopped.wait(self._delay):
            pass

    def _connect_once(self) -> bool:
        """Read from one source; say whether to connect anew."""
        try:
            if self._on_start is not None:
                self._on_start()
            self._read_all(self._create_event_source())
        except Exception as error:  # noqa: BLE001 - sources and callbacks may raise anything
            self._failures += 1
            self._report(error)
            may_go_on = self._auto_reconnect or not self._heard
            return may_go_on and self._failures <= self._max_reconnects
        self._failures = 0
        return self._auto_reconnect

    def _read_all(self, source: Any) -> None:
        try:
            for message in source:
                if self._stopped.is_set():
                    return
                self._dispatch(message)
                self._failures, self._heard = 0, True
        finally:
            if hasattr(source, "close"):
                source.close()

    def _dispatch(self, message: Any) -> None:
        is_partial = _is_partial(message)
        if is_partial and self._on_partial_data is not None:
            self._on_partial_data(message["data"], message["fields"])
        elif self._on_data is not None:
            self._on_data(message["data"] if is_partial else message)

    def _report(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)
        else:
            _LOG.warning("event stream failed: %s", error)


def _is_partial(message: Any) -> bool:
    return isinstance(message, dict) and "data" in message and isinstance(message.get("fields"), list)
