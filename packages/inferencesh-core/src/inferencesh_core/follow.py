"""Following a task to its end; how that survives a bad connection is in `listening`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .errors import StreamError, TaskTimeoutError
from .flow.effects import afterwards, emit, emit_all
from .http.ndjson import LineTooLongError
from .listening import Listener
from .task_lines import Task, TaskView, completed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import ClientConfig
    from .flow.effects import Feed, Flow
    from .follow_options import FollowOptions
    from .http.api import Api

_LEAVING_SECONDS = 5.0
"""How long cancelling on the way out may take: somebody waits to be let go."""

_TOLD_AT_ONCE = 64
"""Updates that climb through the generators together; more of them would only fill memory and its caches."""


class Follower(Listener[Task]):
    """Follows one task.

    Args:
        api: Where the task is.
        config: Idle time and line length.
        view: What is known of the task.
        options: How to follow.
        from_start: Ask for every event there was, where the server numbers them.
        since: When the time for all of it began, as the clock said; ``None`` when updates are first asked.
    """

    __slots__ = ("_view",)

    def __init__(
        self,
        api: Api,
        config: ClientConfig,
        view: TaskView,
        options: FollowOptions,
        *,
        from_start: bool = False,
        since: float | None = None,
    ) -> None:
        path = f"/tasks/{quote(view.task_id, safe='')}"
        super().__init__(api, config, options, path)
        self._view = view
        self.since = since
        if from_start:
            view.seq = 0

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
        yield from self.start_clock(self.since)
        if self._view.is_finished() and self._view.task is not None:
            yield from emit(self._view.task)
        yield from self.listen()
        return completed(self._view.task or {})

    def leave(self) -> Flow[None]:
        """Cancel the task unless it is over, or was not to be cancelled."""
        if self._options.cancel_on_exit and not self._view.is_finished():
            path = f"{self._path}/cancel"
            yield from self._api.call("POST", path, repeatable=True, seconds=_LEAVING_SECONDS)

    @property
    def _name(self) -> str:
        return f"task {self._view.task_id}"

    def _is_over(self) -> bool:
        return self._view.is_finished()

    def _place(self) -> dict[str, str]:
        return {} if self._view.seq is None else {"Last-Event-ID": str(self._view.seq)}

    def _take(self, lines: Iterator[object]) -> Feed[Task, bool]:
        heard_more = False
        news: list[Task] = []
        try:
            for line in lines:
                heard_more = True
                try:
                    task = self._view.accept(line)
                except LookupError:
                    yield from self._tell(news)
                    yield from self._ask()
                    task = self._view.accept(line) or self._view.task
                if task is not None:
                    news.append(task)
                    if len(news) == _TOLD_AT_ONCE:
                        yield from self._tell(news)
        except LineTooLongError:
            yield from self._tell(news)
            raise
        yield from self._tell(news)
        return heard_more

    def _tell(self, news: list[Task]) -> Feed[Task, None]:
        """Emit what came together at once: each step through the generators costs as much as a line."""
        if news:
            self._progressed()
            yield from emit_all(news)
            news.clear()

    def _must_look(self) -> bool:
        # Numbered events come again by the next stream, all of them; only one that brought none is doubted.
        return self._view.seq is None or self._fruitless_connections > 1

    def _look(self) -> Feed[Task, None]:
        task = yield from self._ask()
        if task is not None:
            yield from emit(task)

    def _ask(self) -> Flow[Task | None]:
        """Look the task up; give it when that is news."""
        task = yield from self._api.call("GET", self._path, seconds=(yield from self.time_left()))
        if not isinstance(task, dict):
            raise StreamError(f"the server's answer for task {self._view.task_id} is no task: {task!r:.80}")
        return self._view.reconcile(task)

    def _overdue(self) -> TaskTimeoutError:
        task = self._view.task or {"id": self._view.task_id}
        return TaskTimeoutError(
            task,
            f"task {self._view.task_id} did not end within {self._options.timeout:g} s; {self._what_now()}",
        )

    def _what_now(self) -> str:
        if self._options.cancel_on_exit:
            return "it is cancelled, as cancel_on_exit asks"
        return "it goes on, and tasks.wait_for_completion takes it up again"
