"""Tasks: running apps, following what becomes of them, looking back at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, overload
from urllib.parse import quote

from .errors import (
    ConfigurationError,
    InferenceError,
    InputError,
    TaskTimeoutError,
    TransportError,
    UploadError,
)
from .flow.effects import emit, emit_all, fork, join, result_of
from .flow.faces import Async, Face, Sync, iteration, operation
from .follow_options import FollowOptions
from .http.bodies import misshapen, object_in
from .task_streams import AsyncTaskStream, TaskStream
from .timed import Timed, unlimited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator

    from .context import ClientContext
    from .flow.effects import Feed, Flow
    from .task_lines import Task
    from .timed import TimeLeft
    from .types import TaskTimingsDTO

DEFAULT_CONCURRENCY = 16

_USUAL_FIELDS = ("id", "created_at", "updated_at", "input", "output", "logs", "status")
"""What callers index a started task by; a slim answer leaves some out."""


class Tasks:
    """The task routes."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._config = context.config
        self._context = context

    def start(self, params: Mapping[str, Any], time_left: TimeLeft = unlimited) -> Flow[Task]:
        """Start a task, its files uploaded first, and give it as accepted.

        Args:
            params: What to run.
            time_left: Asked before each call how long it may take.

        Raises:
            UploadError: a file of the input cannot be read or stored.
            RequirementsNotMetError: the app lacks secrets, integrations or scopes.
            APIError: the server refused.
        """
        # A tenth of a small program's start, which may only look at tasks.
        from .files import Files  # noqa: PLC0415
        from .input_files import without_files  # noqa: PLC0415

        body = {
            name: value if name == "input" or isinstance(value, str) else without_files(value, name)
            for name, value in params.items()
        }
        body["input"] = yield from Files(self._context).uploaded(body.get("input"), time_left)
        seconds = yield from time_left()
        task = yield from self._api.call("POST", "/apps/run", body, creates=True, seconds=seconds)
        if not isinstance(task, dict) or "id" not in task:
            raise misshapen(task, "POST /apps/run", "a task")
        return {**dict.fromkeys(_USUAL_FIELDS), **task}

    def begin(self, params: Mapping[str, Any], options: FollowOptions) -> Flow[tuple[Task, float | None]]:
        """Start a task within the time for all of it; give it, and when that time began.

        Raises:
            InputError: the parameters are not what a run takes.
            TaskTimeoutError: the time was over before the server had accepted it.
        """
        _check_params(params)
        start = _Start(params, options.timeout)
        yield from start.start_clock()
        try:
            task = yield from self.start(params, start.time_left)
        except (TransportError, UploadError):
            yield from start.time_left()
            raise
        return task, start.since

    def run(self, params: Mapping[str, Any], options: FollowOptions, wait: bool = True) -> Flow[Task]:
        """Start a task and give it completed; without ``wait``, as accepted."""
        task, since = yield from self.begin(params, options)
        if not wait:
            return task
        return (yield from result_of(self.follow(task["id"], options, known=task, since=since)))

    def follow(
        self, task_id: str, options: FollowOptions, *, known: Task | None = None, since: float | None = None
    ) -> Feed[Task, Task]:
        """Emit the task at each change and return it completed; see `Follower.updates`."""
        from .follow import Follower  # noqa: PLC0415 - as above
        from .task_lines import TaskView  # noqa: PLC0415

        view = TaskView(task_id, known)
        return (yield from Follower(self._api, self._config, view, options, since=since).updates())

    def get(self, task_id: str) -> Flow[Task]:
        """Give the task as it is now.

        Args:
            task_id: The task.

        Raises:
            APIError: there is no such task (404), or the server refused.
        """
        path = _path(task_id)
        return object_in((yield from self._api.call("GET", path)), f"GET {path}", "a task")

    def cancel(self, task_id: str) -> Flow[None]:
        """Cancel a task; one that is over already stays as it is.

        Args:
            task_id: The task.

        Raises:
            APIError: there is no such task (404), or the server refused.
        """
        yield from self._api.call("POST", f"{_path(task_id)}/cancel", repeatable=True)

    def wait_for_completion(self, task_id: str, timeout: float | None = None) -> Flow[Task]:
        """Wait until the task is over and give it completed.

        Args:
            task_id: The task.
            timeout: Seconds to wait, ``None`` for as long as it takes.

        Raises:
            TaskFailedError: the task failed.
            TaskCancelledError: the task was cancelled.
            TaskTimeoutError: the time was over first; the task goes on.
        """
        return (yield from result_of(self.follow(_checked(task_id), FollowOptions(timeout=timeout))))

    def list(
        self,
        *,
        page_size: int = 50,
        search: Mapping[str, Any] | None = None,
        filters: Iterable[Mapping[str, Any]] = (),
        sort: Iterable[Mapping[str, Any]] = (),
    ) -> Feed[Task, None]:
        """Iterate over tasks, newest first unless sorted otherwise; pages are fetched as they are needed.

        Args:
            page_size: Tasks per request, 1 or more.
            search: Free text: ``{"fields": ["input"], "term": "cat", "exact": False}``.
            filters: Conditions: ``{"field": "status", "operator": "eq", "value": 10}``.
            sort: Orders: ``{"field": "created_at", "dir": "desc"}``.

        Raises:
            APIError: the server refused.
            ConfigurationError: the page size is no number of tasks.
        """
        if page_size < 1:
            raise ConfigurationError(f"page_size must be 1 or more, not {page_size}")
        query: dict[str, Any] = {"limit": page_size, "filters": [*filters], "sort": [*sort]}
        if search is not None:
            query["search"] = search
        while True:
            page = yield from self._api.call("POST", "/tasks/list", query, repeatable=True)
            tasks = page.get("items") or [] if isinstance(page, dict) else None
            if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
                raise misshapen(page, "POST /tasks/list", "a page of tasks")
            yield from emit_all(tasks)
            if not page.get("has_next") or not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def logs(self, task_id: str) -> Flow[dict[str, Any]]:
        """Give what the task's app and worker wrote.

        Args:
            task_id: The task.

        Returns:
            ``{"task_id", "status", "events", "logs"}`` as the API gives it.
        """
        path = f"{_path(task_id)}/logs"
        return object_in((yield from self._api.call("GET", path)), f"GET {path}", "logs")

    def timings(self, task_id: str) -> Flow[TaskTimingsDTO]:
        """Give how long the task spent in each status.

        Args:
            task_id: The task.

        Returns:
            ``{"task_id", "status", "total_duration_ms", "groups", "events", …}`` as the API gives it.
        """
        path = f"{_path(task_id)}/timings"
        answer = yield from self._api.call("GET", path)
        return cast("TaskTimingsDTO", object_in(answer, f"GET {path}", "timings"))

    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: bool = False,
        timeout: float | None = None,
    ) -> Feed[Task | Exception, None]:
        """Run many tasks and emit them as they complete; see `TasksAPI.run_many`."""
        _check_many(params, concurrency)
        options = FollowOptions(timeout=timeout)
        group = yield from fork((self.run(each, options) for each in params), concurrency)
        while (outcome := (yield from join(group))) is not None:
            error = outcome.error
            if isinstance(error, InferenceError):
                error.index = outcome.index
            yield from emit(error if return_exceptions and error is not None else outcome.value)


def _check_params(params: Any) -> None:
    if not isinstance(params, Mapping):
        raise InputError(
            "a run takes a mapping, such as {'app': 'namespace/name', 'input': {...}}, "
            f"not {params!r:.80}"
        )
    if params.get("stream"):
        raise InputError(
            "whoever asks for a stream says so beside the parameters, not in them: run({...}, stream=True)"
        )


def _check_many(params: Any, concurrency: Any) -> None:
    if isinstance(params, (str, bytes, Mapping)) or not hasattr(params, "__iter__"):
        raise TypeError(
            f"run_many takes an iterable of parameters, one mapping for each task, not {params!r:.80}"
        )
    if not isinstance(concurrency, int) or concurrency < 1:
        raise ValueError(f"concurrency must be a whole number of at least 1, not {concurrency!r}")


class _Start(Timed):
    """The start of a task, which may take the time there is for all of it."""

    def __init__(self, params: Mapping[str, Any], timeout: float | None) -> None:
        super().__init__(timeout)
        self._app = params.get("app") or params.get("app_id") or "the app"

    def _overdue(self) -> TaskTimeoutError:
        return TaskTimeoutError(
            {},
            f"{self._app} was not started within {self._timeout:g} s; if the server has a task of it all the "
            "same, tasks.list shows it",
        )


def _checked(task_id: str) -> str:
    if not task_id or not isinstance(task_id, str):
        raise ValueError(f"a task id is a non-empty string, not {task_id!r}")
    return task_id


def _path(task_id: str) -> str:
    return f"/tasks/{quote(_checked(task_id), safe='')}"


class RunOptions(TypedDict, total=False):
    """How a run is waited for, ``stream`` aside; see `TasksAPI.run`."""

    wait: bool
    auto_reconnect: bool
    max_reconnects: int
    reconnect_delay_ms: int
    timeout: float | None
    cancel_on_exit: bool


class _TasksFace(Face[Tasks]):
    subject_type = Tasks

    get = operation(Tasks.get)
    cancel = operation(Tasks.cancel)
    wait_for_completion = operation(Tasks.wait_for_completion)
    list = iteration(Tasks.list)
    logs = operation(Tasks.logs)
    timings = operation(Tasks.timings)


class TasksAPI(Sync, _TasksFace):
    """``client.tasks``."""

    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: Literal[False] = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Task: ...
    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        stream: Literal[True],
        wait: bool = True,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> TaskStream: ...
    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: bool = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Task | TaskStream: ...
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: bool = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Task | TaskStream:
        """Run an app.

        Files in the input (`File` objects, paths, bytes, open files, data URIs) are uploaded first.

        Args:
            params: What to run, as the API takes it: ``app``, ``input``, ``setup``, ``function`` and so on.
            wait: Wait for the end and give the completed task; otherwise give the task as accepted.
            stream: Give the task's updates as they come; goes before ``wait``.
            auto_reconnect: Go on after the connection broke.
            max_reconnects: Failures in a row after which to give up following.
            reconnect_delay_ms: Upper end of the first pause between tries, in milliseconds.
            timeout: Seconds until `TaskTimeoutError`, uploads and the start included; the task goes on.
                ``None`` waits as long as it takes.
            cancel_on_exit: Cancel the task on the server when waiting or streaming ends before the task does:
                by Ctrl-C, by an error, a time-out, a closed stream, a cancelled coroutine.

        Raises:
            TaskFailedError: the task failed.
            TaskCancelledError: the task was cancelled.
            RequirementsNotMetError: the app lacks secrets, integrations or scopes.
            InputError: the parameters are not what a run takes, or hold what JSON has no form for.
            UploadError: a file of the input cannot be read or stored.
            APIError: the server refused.
        """
        options = FollowOptions(auto_reconnect, max_reconnects, reconnect_delay_ms, timeout, cancel_on_exit)
        if stream:
            task, since = self._driver.run(self._subject.begin(params, options))
            return TaskStream(task, self._client, **options._asdict(), from_start=True, since=since)
        return self._driver.run(self._subject.run(params, options, wait))

    @overload
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: Literal[False] = False,
        timeout: float | None = None,
    ) -> Iterator[Task]: ...
    @overload
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: bool,
        timeout: float | None = None,
    ) -> Iterator[Task | Exception]: ...
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Task | Exception]:
        """Run many tasks, some at a time, and iterate over them as they complete.

        Args:
            params: What to run; taken as places become free, so it may be endless.
            concurrency: Tasks under way at once, finished ones not yet consumed included.
            return_exceptions: Give a failure as a value, in place of its task, instead of raising it; its
                ``index`` says which of ``params`` it was.
            timeout: Seconds for each task, its uploads and start included; ``None`` for as long as it takes.

        Raises:
            TypeError: ``params`` is no iterable of mappings.
            InferenceError: the first failure, unless failures are returned; the rest is no longer followed.
        """
        return self._driver.iterate(
            self._subject.run_many(
                params, concurrency=concurrency, return_exceptions=return_exceptions, timeout=timeout
            )
        )

    def stream(
        self,
        task_id: str,
        *,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> TaskStream:
        """Follow a task; its present state comes first. The arguments are those of `run`."""
        return TaskStream(
            {"id": _checked(task_id)},
            self._client,
            auto_reconnect,
            max_reconnects,
            reconnect_delay_ms,
            timeout=timeout,
            cancel_on_exit=cancel_on_exit,
        )


class AsyncTasksAPI(Async, _TasksFace):
    """``client.tasks`` of an asynchronous client."""

    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: Literal[False] = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Coroutine[Any, Any, Task]: ...
    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        stream: Literal[True],
        wait: bool = True,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> AsyncTaskStream: ...
    @overload
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: bool = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Coroutine[Any, Any, Task] | AsyncTaskStream: ...
    def run(
        self,
        params: Mapping[str, Any],
        *,
        wait: bool = True,
        stream: bool = False,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> Coroutine[Any, Any, Task] | AsyncTaskStream:
        """Run an app; see `TasksAPI.run`. Await it; with ``stream=True`` iterate over it, awaited or not."""
        options = FollowOptions(auto_reconnect, max_reconnects, reconnect_delay_ms, timeout, cancel_on_exit)
        if stream:
            begin = self._subject.begin(params, options)
            return AsyncTaskStream.of_new_task(begin, self._client, **options._asdict(), from_start=True)
        return self._driver.run(self._subject.run(params, options, wait))

    @overload
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: Literal[False] = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Task]: ...
    @overload
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: bool,
        timeout: float | None = None,
    ) -> AsyncIterator[Task | Exception]: ...
    def run_many(
        self,
        params: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        return_exceptions: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Task | Exception]:
        """Run many tasks, some at a time; see `TasksAPI.run_many`."""
        return self._driver.iterate(
            self._subject.run_many(
                params, concurrency=concurrency, return_exceptions=return_exceptions, timeout=timeout
            )
        )

    def stream(
        self,
        task_id: str,
        *,
        auto_reconnect: bool = True,
        max_reconnects: int = 5,
        reconnect_delay_ms: int = 1000,
        timeout: float | None = None,
        cancel_on_exit: bool = False,
    ) -> AsyncTaskStream:
        """Follow a task; its present state comes first. The arguments are those of `run`."""
        return AsyncTaskStream(
            {"id": _checked(task_id)},
            self._client,
            auto_reconnect,
            max_reconnects,
            reconnect_delay_ms,
            timeout=timeout,
            cancel_on_exit=cancel_on_exit,
        )
