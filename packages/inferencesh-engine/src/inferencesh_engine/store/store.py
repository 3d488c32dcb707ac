"""The engine's memory: one SQLite file, one writer, reads beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ..domain.problems import EngineStartError
from . import chats, keys, sessions
from .database import EngineLock, open_for_reading, open_for_writing
from .files import FileTable
from .history import History
from .webhooks import Due, ended
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..domain.idempotency import Idempotency
    from ..domain.session import Session
    from .chats import KeptChat

T = TypeVar("T")
_OLDEST_SQLITE = (3, 24, 0)  # the first with ON CONFLICT DO UPDATE


class Store:
    """Everything that outlives the engine's process, files' contents aside.

    Attributes:
        history: Tasks and their states, for short reads on the event loop.
        writer: Takes what is to be written.
        files: Records of files.
    """

    def __init__(self, folder: Path, *, max_log_chars: int) -> None:
        """Open the store in `folder`, which exists; raises EngineStartError, and then has changed nothing."""
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise EngineStartError(
                f"SQLite {sqlite3.sqlite_version} is too old; use a Python with 3.24 or later"
            )
        self._lock = EngineLock(folder / "engine.lock")
        path = folder / "engine.db"
        try:
            writing = open_for_writing(path)
        except BaseException:
            self._lock.release()
            raise
        self._reads, self._scans = open_for_reading(path), open_for_reading(path)
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix="inferencesh-reader")
        self._max_log_chars = max_log_chars
        self.history = History(self._reads, max_log_chars)
        self.writer = Writer(writing, path, asyncio.get_running_loop())
        self.files = FileTable(self._reads, self.writer)

    def find_key(self, asked: Idempotency, *, since: float) -> tuple[str, str] | None:
        """Fingerprint and task id of the first request with this key, if it came after `since`."""
        return keys.find(self._reads, asked, since=since)

    def session(self, session_id: str) -> Session | None:
        """The session's record; None when there is none."""
        return sessions.get(self._reads, session_id)

    def active_sessions(self) -> list[Session]:
        """The records of sessions that had not ended when they were written."""
        return sessions.active(self._reads)

    def chat(self, chat_id: str) -> KeptChat | None:
        """The chat and all that belongs to it; None when there is none."""
        return chats.get(self._reads, chat_id)

    def chat_of(self, table: str, record_id: str) -> str | None:
        """The id of the chat a message or invocation belongs to; None when there is no such record."""
        return chats.chat_of(self._reads, table, record_id)

    def children_of(self, chat_id: str) -> list[str]:
        """The ids of the chats right below this one."""
        return chats.children(self._reads, chat_id)

    def unfinished_chats(self) -> list[str]:
        """The ids of chats with a turn to go on with, or a message to begin one."""
        return chats.unfinished(self._reads)

    def webhooks_due(self) -> list[Due]:
        """What is to be told of tasks that have ended."""
        return ended(self._reads)

    async def scan(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run a read that may take long, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._scanner, read, self._scans)

    async def scan_history(self, read: Callable[[History], T]) -> T:
        """Run a read of tasks that may take long, off the event loop."""
        return await self.scan(lambda db: read(History(db, self._max_log_chars)))

    async def close(self) -> None:
        """Write what is waiting and let go of the file."""
        await self.writer.close()
        self._scanner.shutdown()
        self._scans.close()
        self._reads.close()
        self.writer.checkpoints.let_go()
        self._lock.release()
