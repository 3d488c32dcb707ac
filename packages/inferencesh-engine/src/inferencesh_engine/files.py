"""Files as the API knows them: announced, uploaded, referred to by tasks, and made by tasks."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from inferencesh_core import content_types

from .blobs import Blobs, Stored, too_large
from .domain.files import FileRecord
from .domain.idempotency import mismatch
from .domain.problems import Problem, not_found
from .domain.views import rfc3339, short_id
from .file_places import Place, file_places, is_file_address, with_replaced
from .signing import NEVER, Purpose, UrlSigner, kept_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from .config import EngineConfig
    from .domain.idempotency import Idempotency
    from .domain.listing import ListQuery, Page
    from .file_places import Schema

BATCH_BYTES = 1024 * 1024
MAX_FILENAME_CHARS = 200
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?", re.ASCII)
_UNSAFE_IN_FILENAMES = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
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


class FileRecords(Protocol):
    """Where file records are kept."""

    async def insert(self, record: FileRecord) -> None:
        """Keep the record, in place of an earlier one with its id; durable when it returns."""

    async def get(self, file_id: str) -> FileRecord | None:
        """The record; None when there is none."""

    async def list(self, query: ListQuery) -> Page:
        """A page whose items are records."""

    async def delete(self, file_id: str) -> None:
        """Forget the record, if there is one."""


class Files:
    """The files of one engine.

    Args:
        config: Limits, and the state folder that holds the blobs and the signing key.
        records: Where file records are kept.
        base_url: Says where the engine listens; addresses of files begin with it.
    """

    def __init__(
        self, config: EngineConfig, records: FileRecords, base_url: Callable[[], str | None]
    ) -> None:
        self.blobs = Blobs(config.state_path / "blobs", max_bytes=config.max_file_bytes)
        self._config = config
        self._records = records
        self._base_url = base_url

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
        record = _announced(wanted, category)
        if record.size is not None and record.size > self.blobs.max_bytes:
            raise too_large(self.blobs.max_bytes)
        known = None
        if once is not None:
            record = replace(record, id=_id_of(once, position))
            known = await self._records.get(record.id)
        if known is None:
            await self._records.insert(record)
        elif once is not None and not _is_same_wish(known, record):
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

    def check_input(self, value: Any, schema: Schema | None = None) -> None:
        """Refuse, by a 422 problem that says where, input that names a file of the engine's own machine."""
        for place in file_places(value, schema):
            for address in _addresses(place):
                _refuse_local(place, address)

    async def for_worker(self, value: Any, schema: Schema | None) -> Any:
        """The input with each file of this engine as an object with its local `path`."""
        replacements = {}
        for place in file_places(value, schema):
            address = place.value if isinstance(place.value, str) else place.value.get("uri")
            file_id = self.signer.readable_file(address) if isinstance(address, str) else None
            if file_id is not None:
                replacements[place.pointer] = self._local(await self.stored(file_id), str(address))
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

    def has_files(self, output: Any, schema: Schema | None = None) -> bool:
        """Whether `store_outputs` would have anything to store."""
        return any(place.value.get("path") for place in _output_files(output, schema))

    def dto(self, record: FileRecord) -> dict[str, Any]:
        """The record as a `FileDTO`."""
        created_at = rfc3339(record.created_at)
        return {
            "id": record.id,
            "short_id": short_id(record.id),
            "created_at": created_at,
            "updated_at": created_at,
            "deleted_at": None,
            "user_id": "",
            "user": None,
            "team_id": "",
            "team": None,
            "visibility": "public" if record.public else "private",
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
        base_url = self._base_url()
        if base_url is None:
            raise RuntimeError("the engine has no address yet: set engine.base_url, or start a server for it")
        return base_url + target

    def _local(self, record: FileRecord, address: str) -> dict[str, Any]:
        return {
            "uri": address,
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
        record = _announced({"filename": source.name, **_given(file)}, "")
        try:
            with _full_disk_is_a_problem():
                stored = await asyncio.to_thread(self.blobs.put_file, record.id, source)
        except (OSError, Problem) as error:
            raise OutputFileError(
                f"the output's file {source} at {place} cannot be stored: {error}"
            ) from error
        return self._address(await self._keep(record, stored))


def _announced(wanted: Mapping[str, Any], category: str) -> FileRecord:
    filename = _clean_filename(_text(wanted, "filename") or Path(_text(wanted, "path")).name)
    content_type = _text(wanted, "content_type")
    if content_type and not _CONTENT_TYPE.fullmatch(content_type):
        raise Problem(
            422, "invalid_request", f"content_type {content_type!r} is not a media type: use type/subtype"
        )
    return FileRecord(
        id=secrets.token_hex(13),
        filename=filename,
        content_type=content_type or content_types.by_name(filename) or content_types.DEFAULT,
        created_at=time.time(),
        size=_size(wanted.get("size")),
        public=bool(wanted.get("public")),
        category=category,
        path=_text(wanted, "path"),
    )


def _id_of(once: Idempotency, position: int) -> str:
    """One key and position, one id: repeating a request finds the files it made."""
    return hashlib.sha256(f"{once.scope}\n{once.key}\n{position}".encode()).hexdigest()[:26]


def _is_same_wish(known: FileRecord, wanted: FileRecord) -> bool:
    fields = ("filename", "content_type", "category", "path", "public")
    same_size = known.state == "stored" or known.size == wanted.size
    return same_size and all(getattr(known, name) == getattr(wanted, name) for name in fields)


def _text(wanted: Mapping[str, Any], name: str) -> str:
    value = wanted.get(name)
    if value is not None and not isinstance(value, str):
        raise Problem(422, "invalid_request", f"{name} of a file must be a text or null, not {value!r}")
    return value or ""


def _size(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise Problem(422, "invalid_request", f"size of a file must be a number of bytes, not {value!r}")
    return int(value)


def _clean_filename(filename: str) -> str:
    """The last part of the name, without control characters; `file` when nothing is left."""
    name = _UNSAFE_IN_FILENAMES.sub("", filename).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name[-MAX_FILENAME_CHARS:] if name.strip(". ") else "file"


def _given(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: file[name] for name in ("filename", "content_type") if file.get(name)}


def _addresses(place: Place) -> Iterator[str]:
    """What a caller's file says it is to be read from; a `path` counts as a `file:` address."""
    if isinstance(place.value, str):
        yield place.value
        return
    if place.value.get("path"):
        yield f"file:{place.value['path']}"
    if place.value.get("uri"):
        yield str(place.value["uri"])


def _refuse_local(place: Place, address: str) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme == "file" and (isinstance(place.value, dict) or place.certain or is_file_address(address)):
        detail = (
            f"input{place} names a file on the engine's machine; upload it with POST /files and pass its uri"
        )
        raise Problem(422, "local_file_refused", detail, field=str(place))
    if place.certain and address and scheme not in ("http", "https", "data"):
        detail = f"input{place} must be a file's uri (http, https or data), not {address[:100]!r}"
        raise Problem(422, "invalid_file", detail, field=str(place))


def _output_files(output: Any, schema: Schema | None) -> list[Place]:
    return [place for place in file_places(output, schema) if isinstance(place.value, dict)]


def _existing(task_id: str, place: Place) -> Path:
    source = Path(str(place.value["path"]))
    if not source.is_absolute() or not source.is_file():
        raise OutputFileError(
            f"the output of task {task_id} names a file at {place} that does not exist: {source}"
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
