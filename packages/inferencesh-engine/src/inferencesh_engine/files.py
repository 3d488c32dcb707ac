"""Files as the API knows them: announced, uploaded, referred to by tasks, and made by tasks."""

from __future__ import annotations

import asyncio
import errno
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferencesh_core.file_record import file_of_record, is_file_record

from .announced_files import announced, id_of, is_same_wish
from .blobs import BLOBS_FOLDER, Blobs, Stored, too_large
from .domain.idempotency import mismatch
from .domain.ownership import owned
from .domain.problems import Problem, not_found
from .domain.views import rfc3339, short_id
from .file_places import Place, file_places, may_hold_files, names_paths, with_replaced
from .input_files import check_input
from .signing import NEVER, Purpose, UrlSigner, kept_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from .config import EngineConfig
    from .domain.files import FileRecord
    from .domain.idempotency import Idempotency
    from .domain.listing import ListQuery, Page
    from .file_places import Pointer, Schema
    from .store.files import FileTable

BATCH_BYTES = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)


class OutputFileError(Exception):
    """An app's output names a file that cannot be stored; the message says which and why."""


@dataclass(frozen=True)
class Announcement:
    """The `FileDTO` of a pending file, with the `upload_url` that takes its content.

    Attributes:
        replayed: Whether an earlier request with the same idempotency key had made it.
    """

    file: dict[str, Any]
    replayed: bool


class Files:
    """The files of one engine.

    Args:
        config: Limits, and the state folder that holds the blobs and the signing key.
        records: Where file records are kept.
        base_url: Says where the engine listens; addresses of files begin with it. They are relative while
            nobody listens.
    """

    def __init__(self, config: EngineConfig, records: FileTable, base_url: Callable[[], str | None]) -> None:
        self.blobs = Blobs(config.state_path / BLOBS_FOLDER, max_bytes=config.max_file_bytes)
        self._config = config
        self._records = records
        self._base_url = base_url
        self._searched: dict[int, tuple[Schema, bool]] = {}

    @cached_property
    def signer(self) -> UrlSigner:
        """Signs the addresses; its key survives restarts."""
        return UrlSigner(kept_key(self._config.state_path / "url.key"))

    async def announce(
        self,
        wanted: Mapping[str, Any],
        *,
        category: str = "",
        once: Idempotency | None = None,
        position: int = 0,
    ) -> Announcement:
        """Make a pending file, or find the one that the same request made before at this position."""
        record = announced(wanted, category)
        if record.size is not None and record.size > self.blobs.max_bytes:
            raise too_large(self.blobs.max_bytes)
        known = None
        if once is not None:
            record = replace(record, id=id_of(once, position))
            known = await self._records.get(record.id)
        if known is None:
            await self._records.insert(record)
        elif once is not None and not is_same_wish(known, record):
            raise mismatch(once.key)
        file = {**self.dto(known or record), "upload_url": self._upload_url(record)}
        return Announcement(file, replayed=known is not None)

    async def receive(self, file_id: str, chunks: AsyncIterator[bytes]) -> FileRecord:
        """Store uploaded content; a second upload takes the place of the first. Raises when it is cut."""
        record = await self._record(file_id)
        with _full_disk_is_a_problem(), await asyncio.to_thread(self.blobs.incoming, file_id) as incoming:
            async for batch in _batches(chunks):
                await asyncio.to_thread(incoming.write, batch)
            stored = await asyncio.to_thread(incoming.commit)
            return await self._keep(record, stored)

    async def stored(self, file_id: str) -> FileRecord:
        """The record of a file whose content is there; raises a 404 problem otherwise."""
        record = await self._record(file_id)
        if record.state != "stored":
            raise Problem(404, "not_uploaded", f"file {file_id} was announced but its content never arrived")
        return record

    async def get(self, file_id: str) -> dict[str, Any]:
        """The `FileDTO`, with a fresh address."""
        return self.dto(await self._record(file_id))

    async def list(self, query: ListQuery) -> Page:
        """A page of `FileDTO`s."""
        page = await self._records.list(query)
        return replace(page, items=[self.dto(record) for record in page.items])

    async def delete(self, file_id: str) -> None:
        """Remove the file and its content."""
        await self._record(file_id)
        await self._records.delete(file_id)
        await asyncio.to_thread(self.blobs.delete, file_id)

    async def forget_unsent(self) -> None:
        """Forget files that were announced, never uploaded, and cannot be any more."""
        # Twice the time: a repeated request is given a fresh address for the file announced before.
        before = time.time() - 2 * self._config.upload_url_seconds
        for file_id in await self._records.delete_pending(before):
            await asyncio.to_thread(self.blobs.delete, file_id)

    async def forget_outputs(self) -> None:
        """Forget files of tasks that are forgotten, once they are old enough."""
        before = time.time() - self._config.output_file_seconds
        while gone := await self._records.delete_forgotten(before):
            for file_id in gone:
                await asyncio.to_thread(self.blobs.delete, file_id)

    def check_input(self, value: Any, schema: Schema | None, name: str) -> None:
        """Refuse, by a 422 problem that says where, input that names a file of the engine's own machine.

        The value is called `name` there.
        """
        if value is not None and self.may_hold_files(schema):
            check_input(value, schema, name)

    def current_address(self, address: str) -> str:
        """The address as it reads the file now, where it is one of ours and does so no more."""
        signed, base_url = self.signer.read_address(address), self._base_url()
        if signed is None or base_url is None:
            return address
        lasting = signed.expires == NEVER
        if address.startswith(f"{base_url}/") and (lasting or signed.expires > time.time()):
            return address
        expires = NEVER if lasting else int(time.time() + self._config.file_url_seconds)
        return self._url(self.signer.target(Purpose.READ, signed.file_id, signed.filename, expires))

    async def for_worker(self, value: Any, schema: Schema | None) -> Any:
        """The input with each file of this engine as an object with its local `path`."""
        if not self.may_hold_files(schema):
            return value
        replacements: dict[Pointer, Any] = {}
        for place in file_places(value, schema):
            address = place.value if isinstance(place.value, str) else place.value.get("uri")
            file_id = self.signer.readable_file(address) if isinstance(address, str) else None
            if file_id is not None:
                replacements[place.pointer] = self._local(await self.stored(file_id), str(address))
            elif is_file_record(place.value):
                replacements[place.pointer] = file_of_record(place.value)
        return with_replaced(value, replacements)

    async def store_outputs(self, task_id: str, output: Any, schema: Schema | None = None) -> Any:
        """The output with each file stored and replaced by its address; raises OutputFileError."""
        replacements = {}
        addresses: dict[str, str] = {}
        for place in _output_files(output, schema):
            path = place.value.get("path") or ""
            if path not in addresses or not path:
                addresses[path] = await self._output_address(task_id, place)
            replacements[place.pointer] = addresses[path]
        return with_replaced(output, replacements)

    def without_paths(self, output: Any, schema: Schema | None = None) -> Any:
        """A partial output, to be shown: a file is its address if it has one, else null until the end.

        Apps repeat what they have so far, so storing these would store each file again and again.
        """
        if not self.has_files(output, schema):
            return output
        places = _output_files(output, schema)
        return with_replaced(output, {place.pointer: place.value.get("uri") or None for place in places})

    def has_files(self, output: Any, schema: Schema | None = None) -> bool:
        """Whether `store_outputs` would have anything to store."""
        if not names_paths(output):
            return False
        places = _output_files(output, schema) if self.may_hold_files(schema) else ()
        return any(place.value.get("path") for place in places)

    def dto(self, record: FileRecord) -> dict[str, Any]:
        """The record as a `FileDTO`."""
        created_at = rfc3339(record.created_at)
        return {
            "id": record.id,
            "short_id": short_id(record.id),
            "created_at": created_at,
            "updated_at": created_at,
            "deleted_at": None,
            **owned(public=record.public),
            "uri": self._address(record),
            "upload_url": "",
            "path": record.path,
            "remote_path": "",
            "filename": record.filename,
            "content_type": record.content_type,
            "size": record.size or 0,
            "category": record.category,
            "rating": "unrated",
            "metadata": None,
        }

    def may_hold_files(self, schema: Schema | None) -> bool:
        """Most apps take and give no files; their values need not be searched, task after task."""
        if schema is None:
            return True
        known = self._searched.get(id(schema))
        if known is None:
            # The schema is kept beside the answer, so that its id stays its own.
            known = self._searched[id(schema)] = (schema, may_hold_files(schema))
        return known[1]

    async def _record(self, file_id: str) -> FileRecord:
        record = await self._records.get(file_id)
        if record is None:
            raise not_found("file", file_id)
        return record

    async def _keep(self, record: FileRecord, stored: Stored) -> FileRecord:
        kept = replace(record, size=stored.size, digest=stored.digest, state="stored")
        await self._records.insert(kept)
        return kept

    def _address(self, record: FileRecord) -> str:
        expires = NEVER if record.public else int(time.time() + self._config.file_url_seconds)
        return self._url(self.signer.target(Purpose.READ, record.id, record.filename, expires))

    def _upload_url(self, record: FileRecord) -> str:
        expires = int(time.time() + self._config.upload_url_seconds)
        return self._url(self.signer.target(Purpose.WRITE, record.id, record.filename, expires))

    def _url(self, target: str) -> str:
        return (self._base_url() or "") + target

    def _local(self, record: FileRecord, address: str) -> dict[str, Any]:
        return {
            "uri": self.current_address(address),
            "path": str(self.blobs.path(record.id)),
            "content_type": record.content_type,
            "size": record.size,
            "filename": record.filename,
        }

    async def _output_address(self, task_id: str, place: Place) -> str:
        file = place.value
        uri = file.get("uri") or ""
        if not file.get("path") or self.signer.readable_file(uri):
            return str(uri)
        source = _existing(task_id, place)
        record = replace(announced({"filename": source.name, **_given(file)}, ""), task_id=task_id)
        try:
            with _full_disk_is_a_problem():
                stored = await asyncio.to_thread(self.blobs.put_file, record.id, source)
        except (OSError, Problem) as error:
            raise OutputFileError(
                f"the output's file {source} at output{place} cannot be stored: {error}"
            ) from error
        return self._address(await self._keep(record, stored))


def _given(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: file[name] for name in ("filename", "content_type") if file.get(name)}


def _output_files(output: Any, schema: Schema | None) -> list[Place]:
    return [place for place in file_places(output, schema) if isinstance(place.value, dict)]


def _existing(task_id: str, place: Place) -> Path:
    source = Path(str(place.value["path"]))
    if not source.is_absolute() or not source.is_file():
        what = "is a folder; pack it into one file" if source.is_dir() else "does not exist"
        raise OutputFileError(
            f"the output of task {task_id} names a file at output{place} that {what}: {source}"
        )
    return source


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytearray]:
    """Join chunks, so that a thread is asked once a megabyte and not once a packet."""
    batch = bytearray()
    async for chunk in chunks:
        batch += chunk
        if len(batch) >= BATCH_BYTES:
            yield batch
            batch = bytearray()
    yield batch


@contextmanager
def _full_disk_is_a_problem() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        detail = "the disk that holds this engine's state is full; nothing was lost, make room and try again"
        raise Problem(507, "storage_full", detail) from error
