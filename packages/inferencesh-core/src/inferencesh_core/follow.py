"""Following a task to its end, whatever the connection does.

The end of a stream is a final state, never the end of the bytes. A cut, silence or garbage means: ask by GET,
then listen again. The budget of reconnects counts failures in a row, stream and GET together, and is full
again after each sign of life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from .errors import APIError, StreamError, TaskTimeoutError, TransportError
from .flow.effects import afterwards, close_stream, emit, emit_all, now, read, sleep
from .http.ndjson import LineDecoder, LineTooLongError
from .http.retry import RETRIED_STATUSES, backoff
from .task_lines import TaskView, completed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import ClientConfig
    from .flow.effects import Feed, Flow, OpenedStream
    from .http.api import Api
    from .task_lines import Task

_FAREWELL_SECONDS = 0.05
"""How long the end of a finished stream is awaited, so that its connection can be used again."""

_LEAVING_SECONDS = 5.0
"""How long cancelling on the way out may take: somebody waits to be let go."""


@dataclass(frozen=True)
class FollowOptions:
    """How a task is followed.

    Attributes:
        auto_reconnect: Go on after the connection broke.
        max_reconnects: Failures in a row after which to give up; any answer starts the count anew.
        reconnect_delay_ms: Upper end of the first pause, in milliseconds; it doubles with each failure.
        timeout: Seconds until `TaskTimeoutError`, ``None`` waits as long as it takes.
        cancel_on_exit: Cancel the task on the server when following it ends before the task does.
    """

    auto_reconnect: bool = True
    max_reconnects: int = 5
    reconnect_delay_ms: int = 1000
    timeout: float | None = None
    cancel_on_exit: bool = False


class Follower:
    """Follows one task.

    Args:
        api: Where the task is.
        config: Idle time and line length.
        view: What is known of the task.
        options: How to follow.
        from_start: Ask for every event there was, where the server numbers them.
    """

    def __init__(
        self,
        api: Api,
        config: ClientConfig,
        view: TaskView,
        options: FollowOptions,
        *,
        from_start: bool = False,
    ) -> None:
        self._api = api
        self._config = config
        self._view = view
        self._options = options
        if from_start:
            view.seq = 0
        self._deadline: float | None = None
        self._path = f"/tasks/{quote(view.task_id, safe='')}"
        self._silent_connections = 0
        self._fruitless_connections = 0
        self._failures: list[str] = []

    def updates(self) -> Feed[Task, Task]:
        """Emit the whole task at each change, its final state included, and return it completed.

        Raises:
            TaskFailedError: the task failed.
            TaskCancelledError: the task was cancelled.
            TaskTimeoutError: the time was over first; the task goes on.
            TransportError: the server could not be reached, time and again.
            StreamError: the stream broke and was not to be reconnected.
            APIError: the server refused.
        """
        if self._options.cancel_on_exit:
            yield from afterwards(self.leave())
        if self._options.timeout is not None:
            self._deadline = (yield from now()) + self._options.timeout
        if self._view.is_finished() and self._view.task is not None:
            yield from emit(self._view.task)
        while not self._view.is_finished():
            trouble = yield from self._listen()
            if self._view.is_finished():
                break
            if not self._options.auto_reconnect:
                raise self._reason_to_stop(trouble)
            yield from self._reconcile(trouble)
        return completed(self._view.task or {})

    def leave(self) -> Flow[None]:
        """Cancel the task unless it is over, or was not to be cancelled."""
        if self._options.cancel_on_exit and not self._view.is_finished():
            path = f"{self._path}/cancel"
            yield from self._api.call("POST", path, repeatable=True, seconds=_LEAVING_SECONDS)

    def _listen(self) -> Feed[Task, Exception | None]:
        """Emit what one connection tells; give what ended it early, ``None`` for a plain end."""
        try:
            stream = yield from self._open()
        except (TransportError, APIError) as error:
            yield from self._time_left()
            return error
        trouble = yield from self._hear_out(stream)
        # At once, not when the flow ends: a task may take days, and each cut would cost a connection.
        yield from close_stream(stream)
        return trouble

    def _hear_out(self, stream: OpenedStream) -> Feed[Task, Exception | None]:
        try:
            yield from self._read_all(stream)
        except LineTooLongError as error:
            raise StreamError(f"task {self._view.task_id}: {error}") from error
        except (TransportError, APIError) as error:
            yield from self._time_left()
            return error
        return None

    def _open(self) -> Flow[OpenedStream]:
        headers = {"Accept": "application/x-ndjson", "Cache-Control": "no-cache"}
        if self._view.seq is not None:
            headers["Last-Event-ID"] = str(self._view.seq)
        return (yield from self._api.open(f"{self._path}/stream", headers, (yield from self._time_left())))

    def _read_all(self, stream: OpenedStream) -> Feed[Task, None]:
        decoder = LineDecoder(max_line_bytes=self._config.max_line_bytes)
        heard = yield from now()
        while chunk := (yield from self._read(stream, heard)):
            heard_more = yield from self._take(decoder.feed(chunk))
            if self._view.is_finished():
                yield from self._say_goodbye(stream)
                return
            if heard_more:
                heard = yield from now()
        yield from self._take(decoder.close())

    def _read(self, stream: OpenedStream, heard: float) -> Flow[bytes]:
        """Give the next bytes. Only whole lines count as life, so a server that trickles is silent too."""
        patience = max(0.001, heard + self._config.idle_seconds - (yield from now()))
        left = yield from self._time_left()
        return (yield from read(stream, patience if left is None else min(patience, left)))

    def _take(self, lines: Iterator[object]) -> Feed[Task, bool]:
        """Emit what is new in the lines, all at once; tell whether there was a line at all."""
        heard_more = False
        news: list[Task] = []
        try:
            for line in lines:
                if not heard_more:
                    heard_more = True
                    self._hears()
                try:
                    task = self._view.accept(line)
                except LookupError:
                    yield from self._ask()
                    task = self._view.accept(line) or self._view.task
                if task is not None:
                    news.append(task)
        except LineTooLongError:
            yield from emit_all(news)
            raise
        if news:
            self._fruitless_connections = 0
            yield from emit_all(news)
        return heard_more

    def _hears(self) -> None:
        self._silent_connections = 0
        self._failures.clear()

    def _say_goodbye(self, stream: OpenedStream) -> Flow[None]:
        try:
            while (yield from read(stream, _FAREWELL_SECONDS)):
                pass
        except TransportError:
            return

    def _reconcile(self, trouble: Exception | None) -> Feed[Task, None]:
        """After a connection that did not tell the end: ask for it, and pause before the next one."""
        self._silent_connections += 1
        self._fruitless_connections += 1
        # Numbered events come again by the next stream, all of them; only one that brought none is doubted.
        if self._view.seq is None or self._fruitless_connections > 1:
            try:
                task = yield from self._ask()
            except (TransportError, APIError) as error:
                yield from self._time_left()
                self._count_failure(error, trouble)
            else:
                self._failures.clear()
                if task is not None:
                    yield from emit(task)
        if not self._view.is_finished():
            yield from self._pause()

    def _reason_to_stop(self, trouble: Exception | None) -> Exception:
        if isinstance(trouble, APIError):
            return trouble
        error = StreamError(f"the stream of task {self._view.task_id} ended before the task")
        error.__cause__ = trouble
        return error

    def _ask(self) -> Flow[Task | None]:
        """Look the task up; give it when that is news."""
        task = yield from self._api.call("GET", self._path, seconds=(yield from self._time_left()))
        if not isinstance(task, dict):
            raise StreamError(f"the server's answer for task {self._view.task_id} is no task: {task!r:.80}")
        return self._view.reconcile(task)

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
        left = yield from self._time_left()
        yield from sleep(pause if left is None else min(pause, left))

    def _time_left(self) -> Flow[float | None]:
        """Give the seconds until the deadline, ``None`` without one.

        Raises:
            TaskTimeoutError: there are none.
        """
        if self._deadline is None:
            return None
        left = self._deadline - (yield from now())
        if left > 0:
            return left
        task = self._view.task or {"id": self._view.task_id}
        raise TaskTimeoutError(
            task,
            f"task {self._view.task_id} did not end within {self._options.timeout:g} s; it goes on, "
            "and tasks.wait_for_completion takes it up again",
        )
