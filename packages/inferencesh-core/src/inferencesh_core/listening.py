"""Listening to a stream until what it tells of is over, whatever the connection does.

The end of a stream is a final state, never the end of the bytes. A cut, silence or garbage means: ask by GET,
then listen again. The budget of reconnects counts failures in a row, stream and GET together, and is full
again after each sign of life.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import APIError, StreamError, TransportError
from .flow.effects import close_stream, now, read, receive, sleep
from .http.ndjson import LineDecoder, LineTooLongError
from .http.retry import RETRIED_STATUSES, backoff
from .timed import Timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import ClientConfig
    from .flow.effects import Feed, Flow, OpenedStream
    from .follow_options import FollowOptions
    from .http.api import Api

T = TypeVar("T")

_FAREWELL_SECONDS = 0.05
"""How long the end of a finished stream is awaited, so that its connection can be used again."""


class Listener(Timed, Generic[T]):
    """Listens to one subject's stream, at ``<path>/stream``; what a line means is for the subclass to say.

    Args:
        api: Where the subject is.
        config: Idle time and line length.
        options: How to follow.
        path: The subject's route.
    """

    __slots__ = (
        "_api",
        "_config",
        "_failures",
        "_fruitless_connections",
        "_options",
        "_path",
        "_silent_connections",
    )

    def __init__(self, api: Api, config: ClientConfig, options: FollowOptions, path: str) -> None:
        super().__init__(options.timeout)
        self._api = api
        self._options = options
        self._path = path
        self._config = config
        self._silent_connections = 0
        self._fruitless_connections = 0
        self._failures: list[str] = []

    @property
    @abstractmethod
    def _name(self) -> str:
        """What to call the subject in messages: ``task t1``."""

    @abstractmethod
    def _is_over(self) -> bool:
        """Tell whether the final state is known."""

    @abstractmethod
    def _take(self, lines: Iterator[object]) -> Feed[T, bool]:
        """Emit what is news in the lines that came at once; tell whether there was one at all.

        Lines are decoded as they are asked for, so asking for one may raise `LineTooLongError`.
        """

    @abstractmethod
    def _look(self) -> Feed[T, None]:
        """Ask by GET, and emit what is news in the answer."""

    def _place(self) -> dict[str, str]:
        """Give the headers that say from where on to tell."""
        return {}

    def _must_look(self) -> bool:
        """Tell whether the next connection would leave something out that a GET tells."""
        return True

    def listen(self) -> Feed[T, None]:
        """Emit the news until it is over.

        Raises:
            TransportError: the server could not be reached, time and again.
            StreamError: the stream broke and was not to be reconnected.
            APIError: the server refused.
        """
        while not self._is_over():
            trouble = yield from self._listen()
            if self._is_over():
                break
            if not self._options.auto_reconnect:
                raise self._reason_to_stop(trouble)
            yield from self._reconcile(trouble)

    def _progressed(self) -> None:
        """Count the present connection as one that told something."""
        self._fruitless_connections = 0

    def _listen(self) -> Feed[T, Exception | None]:
        """Emit what one connection tells; give what ended it early, ``None`` for a plain end."""
        stream: OpenedStream | None = None
        trouble: Exception | None = None
        try:
            stream = yield from self._open()
            yield from self._read_all(stream)
        except LineTooLongError as error:
            raise StreamError(f"{self._name}: {error}") from error
        except (TransportError, APIError) as error:
            yield from self.time_left()
            trouble = error
        if stream is not None:
            # At once, not when the flow ends: it may take days, and each cut would cost a connection.
            yield from close_stream(stream)
        return trouble

    def _open(self) -> Flow[OpenedStream]:
        headers = {"Accept": "application/x-ndjson", "Cache-Control": "no-cache", **self._place()}
        return (yield from self._api.open(f"{self._path}/stream", headers, (yield from self.time_left())))

    def _read_all(self, stream: OpenedStream) -> Feed[T, None]:
        decoder = LineDecoder(max_line_bytes=self._config.max_line_bytes)
        heard = yield from now()
        while (yield from receive(stream, decoder, (yield from self._patience(heard)))):
            heard_more = yield from self._hear(decoder.lines())
            if self._is_over():
                yield from self._say_goodbye(stream)
                return
            if heard_more:
                heard = yield from now()
        yield from self._hear(decoder.close())

    def _patience(self, heard: float) -> Flow[float]:
        """Give the seconds to wait for more. Only whole lines are life, so who trickles is silent too."""
        patience = max(0.001, heard + self._config.idle_seconds - (yield from now()))
        left = yield from self.time_left()
        return patience if left is None else min(patience, left)

    def _hear(self, lines: Iterator[object]) -> Feed[T, bool]:
        heard_more = yield from self._take(lines)
        if heard_more:
            self._silent_connections = 0
            self._failures.clear()
        return heard_more

    def _say_goodbye(self, stream: OpenedStream) -> Flow[None]:
        # By the clock: what else the server has to say may have no end.
        end = (yield from now()) + _FAREWELL_SECONDS
        try:
            while (left := end - (yield from now())) > 0 and (yield from read(stream, left)):
                pass
        except TransportError:
            return

    def _reconcile(self, trouble: Exception | None) -> Feed[T, None]:
        """After a connection that did not tell the end: ask for it, and pause before the next one."""
        self._silent_connections += 1
        self._fruitless_connections += 1
        if self._must_look():
            try:
                yield from self._look()
            except (TransportError, APIError) as error:
                yield from self.time_left()
                self._count_failure(error, trouble)
            else:
                self._failures.clear()
        if not self._is_over():
            yield from self._pause()

    def _reason_to_stop(self, trouble: Exception | None) -> Exception:
        if isinstance(trouble, APIError):
            return trouble
        error = StreamError(f"the stream of {self._name} ended before its end was told")
        error.__cause__ = trouble
        return error

    def _count_failure(self, error: TransportError | APIError, trouble: Exception | None) -> None:
        if isinstance(error, APIError) and error.status_code not in RETRIED_STATUSES:
            raise error
        self._failures.append(str(error))
        if len(self._failures) > self._options.max_reconnects:
            error.attempts = tuple(reversed(self._failures))
            raise error from trouble

    def _pause(self) -> Flow[None]:
        pause = backoff(
            max(1, self._silent_connections),
            base=self._options.reconnect_delay_ms / 1000,
            cap=max(self._config.backoff_cap, self._options.reconnect_delay_ms / 1000),
            luck=self._api.luck(),
        )
        left = yield from self.time_left()
        yield from sleep(pause if left is None else min(pause, left))
