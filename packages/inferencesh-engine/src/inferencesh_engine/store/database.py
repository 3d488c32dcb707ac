"""Opening the database file: one engine at a time, the schema up to date, damage named and left alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..domain.problems import EngineBusyError, EngineStartError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is read again and again are the newest tasks; the file is in the cache of the system besides.
_CACHE_KIB = 512
_BUSY_SECONDS = 2.0
_WAL_BYTES_KEPT = 8 * 1024 * 1024
_WAL_BYTES_ALLOCATED = 6 * 1024 * 1024
_ZEROS_AT_ONCE = 64 * 1024
# What the log has room for: SQLite's own checkpoints come where those of `checkpoints.py` are late.
_WAL_PAGES_AT_MOST = 1500
_SCHEMA = Path(__file__).parent / "schema"


class EngineLock:
    """Held by the one engine that uses a state folder; the system frees it when that engine dies."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, timeout=0)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._connection.close()
            if not is_locked(error):
                raise EngineStartError(
                    f"{path} cannot be locked ({error}); remove that file and try again"
                ) from error
            raise EngineBusyError(
                f"{path.parent} is in use by another engine; stop that one, or use another state folder"
            ) from error

    def release(self) -> None:
        """Let another engine have the folder."""
        self._connection.close()


def connect(path: Path, *, timeout: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """A connection in autocommit mode that any one thread at a time may use."""
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection to a database that a writer has opened."""
    connection = connect(path)
    _bound_cache(connection)
    return connection


def wal_of(path: Path) -> Path:
    """The write-ahead log of a database; it exists while a connection that has written is open."""
    return path.with_name(f"{path.name}-wal")


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The writer's connection, with the schema up to date; raises EngineStartError naming the file.

    Its commits do not wait for the disk: the writer syncs the log itself, for many of them at once.
    """
    try:
        connection = connect(path)
    except sqlite3.Error as error:
        raise EngineStartError(f"the database {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
    except (sqlite3.Error, OSError) as error:
        connection.close()
        raise _start_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    _bound_cache(connection)
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES_AT_MOST}")
    _migrate(connection, path)
    _allocate_wal(wal_of(path))


def _bound_cache(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _allocate_wal(log: Path) -> None:
    """Let the write-ahead log have its size from the start.

    An fsync of a file that grows waits for the file system's own journal too, and takes ten times as long as
    one of a file that is overwritten. The log starts anew at each checkpoint and keeps its file.

    To SQLite, zeros behind the last frame are no frame: they end the log. They are written, not reserved,
    because to fill a reserved block is growth to the file system, too. Nobody else writes to the file
    meanwhile.
    """
    zeros = bytes(_ZEROS_AT_ONCE)
    with log.open("r+b", buffering=0) as file:
        for _ in range(file.seek(0, os.SEEK_END), _WAL_BYTES_ALLOCATED, _ZEROS_AT_ONCE):
            file.write(zeros)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    with closing(connection.execute("PRAGMA quick_check(1)")) as found:
        (verdict,) = found.fetchone()
    if verdict != "ok":
        raise EngineStartError(_damaged(path, verdict))


def _start_error(path: Path, error: sqlite3.Error | OSError) -> EngineStartError:
    if isinstance(error, OSError):
        return EngineStartError(f"there is no room for the log of the database {path}: {error.strerror}")
    if is_locked(error):
        return EngineStartError(
            f"the database {path} is locked by another process; stop it, or use another state folder"
        )
    if is_storage_full(error):
        return EngineStartError(f"the database {path} cannot be opened: the disk is full")
    return EngineStartError(_damaged(path, str(error)))


def _damaged(path: Path, reason: str) -> str:
    return (
        f"the database {path} is damaged or is no database ({reason}); it was left as it is: restore it "
        "from a backup, or move it away to begin with an empty one"
    )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    migrations = list(_migrations())
    if version > len(migrations):
        raise EngineStartError(
            f"the database {path} was written by a newer engine (schema {version}, this one knows "
            f"{len(migrations)}); upgrade inferencesh-engine"
        )
    for number, script in enumerate(migrations[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _migrations() -> Iterator[str]:
    for file in sorted(_SCHEMA.glob("*.sql")):
        yield file.read_text(encoding="utf-8")


def is_locked(error: BaseException) -> bool:
    """Whether another process holds the file."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def is_storage_full(error: BaseException) -> bool:
    """Whether the disk has no room; Python 3.10 has no error codes, so the text has to tell."""
    return isinstance(error, sqlite3.OperationalError) and (
        "database or disk is full" in str(error) or "disk I/O error" in str(error)
    )
