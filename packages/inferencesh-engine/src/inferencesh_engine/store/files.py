"""Records of files."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from ..domain.files import FileRecord
from .listing import Listing, unix_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ..domain.listing import ListQuery, Page
    from .writer import Writer

_AT_ONCE = 500
_NAMES = [field.name for field in fields(FileRecord)]
_COLUMNS = ", ".join(_NAMES)
_LISTING = Listing(
    "files",
    {name: name for name in _NAMES},
    searched=("filename", "content_type"),
    converted={"created_at": unix_time},
)


class FileTable:
    """What the engine knows about files; writes are durable when they return."""

    def __init__(self, reads: sqlite3.Connection, writer: Writer) -> None:
        self._reads = reads
        self._writer = writer

    async def insert(self, record: FileRecord) -> None:
        """Keep the record, in place of an earlier one with its id."""
        marks = ", ".join("?" for _ in _NAMES)
        updates = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name != "id")
        statement = (
            f"INSERT INTO files ({_COLUMNS}) VALUES ({marks})"  # noqa: S608  # names of our own
            f" ON CONFLICT (id) DO UPDATE SET {updates}"
        )
        await self._writer.write(lambda db: db.execute(statement, astuple(record)).rowcount)

    async def get(self, file_id: str) -> FileRecord | None:
        """The file's record; None when there is no such file."""
        row = self._reads.execute(
            f"SELECT {_COLUMNS} FROM files WHERE id = ?",  # noqa: S608  # names of our own
            (file_id,),
        ).fetchone()
        return _record(row) if row is not None else None

    async def delete(self, file_id: str) -> None:
        """Forget the record, if there is one."""
        await self._writer.write(lambda db: db.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount)

    async def delete_pending(self, announced_before: float) -> Sequence[str]:
        """Forget files announced before this time (Unix seconds) and not uploaded; gives their ids."""
        rows = self._reads.execute(
            "SELECT id FROM files WHERE state = 'pending' AND created_at < ?", (announced_before,)
        ).fetchall()
        if rows:
            statement = "DELETE FROM files WHERE id = ? AND state = 'pending'"
            await self._writer.write(lambda db: db.executemany(statement, rows).rowcount, durable=False)
        return [row[0] for row in rows]

    async def delete_forgotten(self, made_before: float) -> Sequence[str]:
        """Forget some files made before this time (Unix seconds) by tasks that are gone; gives their ids."""
        rows = self._reads.execute(
            "SELECT id FROM files WHERE task_id <> '' AND created_at < ?"
            " AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = files.task_id) LIMIT ?",
            (made_before, _AT_ONCE),
        ).fetchall()
        if rows:
            statement = "DELETE FROM files WHERE id = ?"
            await self._writer.write(lambda db: db.executemany(statement, rows).rowcount, durable=False)
        return [row[0] for row in rows]

    async def list(self, query: ListQuery) -> Page:
        """A page of records, newest first unless the query says otherwise."""
        return _LISTING.page(self._reads, query, _COLUMNS, _record)


def _record(row: tuple[Any, ...]) -> FileRecord:
    values = dict(zip(_NAMES, row, strict=True))
    return FileRecord(**{**values, "public": bool(values["public"])})
