"""What the pool says about attempts, turned into changes of tasks."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from . import crash_points
from .dispatch import output_schema
from .domain.encoded import Encoded
from .domain.recovery import may_run_again, runs_once
from .domain.task import TaskStatus
from .files import OutputFileError

if TYPE_CHECKING:
    from .config import EngineConfig
    from .dispatch import Dispatch
    from .files import Files
    from .ledger import Ledger, LiveTask
    from .sessions import Sessions

RUN_LOG = 1
TASK_LOG = 4
_log = logging.getLogger("inferencesh.engine")


class Reports:
    """The pool's observer. A word about an attempt that is over is dropped."""

    dispatch: Dispatch
    sessions: Sessions

    def __init__(self, config: EngineConfig, ledger: Ledger, files: Files) -> None:
        self._config = config
        self._ledger = ledger
        self._files = files

    def on_status(self, task_id: str, attempt: int, status: int) -> None:
        """The attempt stands at this status now."""
        if (live := self._attempt(task_id, attempt)) is not None:
            # The worker is told to begin after this; what may run only once is first known to have begun.
            begins = status == TaskStatus.DISPATCHED and runs_once(live.app)
            self._ledger.change(live, status=TaskStatus(status), at_once=begins)

    def on_log(self, task_id: str | None, attempt: int, log_type: int, text: str) -> None:
        """Text for the task's log."""
        if task_id is None:
            _log.debug("worker: %s", text.rstrip())
        elif (live := self._attempt(task_id, attempt)) is not None:
            self._ledger.log(live, log_type, text)

    def on_started(self, task_id: str, attempt: int, worker_id: str) -> None:
        """The function has been entered."""
        if (live := self._attempt(task_id, attempt)) is not None:
            self._ledger.change(live, status=TaskStatus.RUNNING, worker_id=worker_id)

    def on_output(self, task_id: str, attempt: int, output: Any) -> None:
        """A partial output; one that is too large, or no JSON, is skipped, and the log says so."""
        if (live := self._attempt(task_id, attempt)) is None:
            return
        try:
            shown = self._files.without_paths(output, output_schema(live))
            self._ledger.change(live, output=self._encoded(shown))
        except ValueError as error:
            self._ledger.log(live, TASK_LOG, f"a partial output was skipped: {error}\n")

    def on_result(self, task_id: str, attempt: int, output: Any) -> None:
        """The final output: its files are stored, then the task is completed."""
        crash_points.reached("task.result")
        if (live := self._attempt(task_id, attempt)) is None:
            return
        if self._files.has_files(output, output_schema(live)):
            self._ledger.change(live, status=TaskStatus.UPLOADING)
            live.work = asyncio.create_task(self._store_files(live, output))
        else:
            self._complete(live, output)

    async def _store_files(self, live: LiveTask, output: Any) -> None:
        try:
            stored = await self._files.store_outputs(live.id, output, output_schema(live))
        except OutputFileError as error:
            self._fail(live, str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the task must end
            _log.exception("task %s: its output files were not stored", live.id)
            self._fail(live, f"the output files were not stored: {error}")
        else:
            self._complete(live, stored)

    def _complete(self, live: LiveTask, output: Any) -> None:
        try:
            encoded = self._encoded(output)
        except ValueError as error:
            self._fail(live, f"the output cannot be kept: {error}")
        else:
            self._ledger.change(live, status=TaskStatus.COMPLETED, output=encoded)

    def _encoded(self, output: Any) -> Encoded:
        encoded = Encoded.of(output)
        if len(encoded.text) > self._config.max_event_bytes:
            raise ValueError(f"it is larger than {self._config.max_event_bytes} bytes (max_event_bytes)")
        return encoded

    def on_failed(self, task_id: str, attempt: int, kind: str, error: str, traceback: str) -> None:
        """The attempt failed: so does the task, or it runs again where its app asks for that."""
        if (live := self._attempt(task_id, attempt)) is None:
            return
        if traceback:
            self._ledger.log(live, RUN_LOG, traceback if traceback.endswith("\n") else traceback + "\n")
        if kind == "worker_died" and self._may_run_again(live):
            self._ledger.log(live, TASK_LOG, f"attempt {attempt}: {error}; running it again\n")
            self._ledger.change(live, attempt=attempt + 1, status=TaskStatus.QUEUED)
            self.dispatch.again(live)
        else:
            self._fail(live, error)

    def _may_run_again(self, live: LiveTask) -> bool:
        # What a session's worker knew died with it, so another one could not answer its calls.
        in_session = live.spec.session_id is not None
        return not in_session and may_run_again(live.state, live.app, self._config.max_attempts, "worker")

    def on_cancelled(self, task_id: str, attempt: int) -> None:
        """The attempt has ended because it was cancelled."""
        if (live := self._attempt(task_id, attempt)) is not None:
            self._ledger.change(live, status=TaskStatus.CANCELLED)

    def on_held(self, session: str, worker_id: str) -> None:
        """The session has this worker from now on."""
        self.sessions.on_held(session, worker_id)

    def on_lost(self, session: str) -> None:
        """The worker of the session has died."""
        self.sessions.on_lost(session)

    def _fail(self, live: LiveTask, error: str) -> None:
        text = error.encode("utf-8", "replace").decode()
        self._ledger.change(live, status=TaskStatus.FAILED, error=text)

    def _attempt(self, task_id: str, attempt: int) -> LiveTask | None:
        """The task, if this attempt is its present one."""
        live = self._ledger.live.get(task_id)
        return live if live is not None and live.state.attempt == attempt else None
