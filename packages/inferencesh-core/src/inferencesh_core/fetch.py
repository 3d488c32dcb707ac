"""Downloads: resumed after a cut, checked for length and digest, put in place whole, shared by processes."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import logging
import os
import random
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .addresses import AddressPolicy
from .cache_entry import CacheEntry, Record, digest_of, display_name, load_record, save_record
from .errors import CertificateError, InferenceError, TransportError
from .http.retry import RETRIED_STATUSES, backoff
from .pinned import UnusableURLError, open_url, without_query
from .storage import StorageDir

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from .http.pooling import PooledStream

    Progress = Callable[[int, "int | None"], object]

_log = logging.getLogger("inferencesh")

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_DIGEST = re.compile(r"(sha-(?:256|512))=:?([A-Za-z0-9+/]+={0,2}):?", re.IGNORECASE)
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FetchLimits:
    """How far a download may go.

    Attributes:
        max_bytes: The largest file.
        max_decoded_bytes: The largest file that arrives compressed.
        total_seconds: The longest download, all tries together.
        connect_seconds: Until a connection stands.
        idle_seconds: The longest silence before a try counts as failed.
        attempts: Tries in a row that bring nothing new.
        backoff_base: The upper end of the first pause, in seconds; it doubles from try to try.
        backoff_cap: The upper end of every pause, in seconds.
    """

    max_bytes: int = 256 * 1024**3
    max_decoded_bytes: int = 1024**3
    total_seconds: float = 12 * 3600.0
    connect_seconds: float = 10.0
    idle_seconds: float = 60.0
    attempts: int = 5
    backoff_base: float = 0.25
    backoff_cap: float = 8.0


class Fetched(NamedTuple):
    """A file that is on disk.

    Attributes:
        path: Where.
        size: In bytes.
        content_type: What the server called it, without parameters; None when it did not say.
    """

    path: str
    size: int
    content_type: str | None


class DownloadError(InferenceError, RuntimeError):
    """A URL could not be downloaded; the text names it without its query.

    Attributes:
        status: The HTTP status that ended it, None when there was none.
    """

    def __init__(self, message: str, *, status: int | None = None, attempts: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.attempts = attempts


def download(url: str, directory: str | os.PathLike[str] | StorageDir) -> str:
    """Download a URL into a folder, made if missing, and give the path of the file.

    The file lies in a subfolder named after the URL's digest and has the URL's own name. When it is there
    already, the server is asked whether it has changed.

    Raises:
        DownloadError: the URL cannot be downloaded.
    """
    folder = directory.value if isinstance(directory, StorageDir) else os.fspath(directory)
    body = Path(os.path.expanduser(folder)) / digest_of(url)[:12] / display_name(url)
    return fetch(url, CacheEntry(body)).path


def fetch(
    url: str,
    entry: CacheEntry,
    *,
    policy: AddressPolicy | None = None,
    limits: FetchLimits | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Bring the present content of a URL to `entry`.

    Args:
        url: An http(s) URL.
        entry: A complete copy there is used again when the server says it has not changed, a partial one is
            continued when the server can.
        policy: Which addresses may be reached; None takes the process's own.
        limits: None takes the defaults.
        progress: Called with the bytes present and the bytes expected (None when unknown) as they arrive.

    Raises:
        DownloadError: it cannot be downloaded whole.
        AddressRefusedError: it lies where the policy forbids.
    """
    chosen = AddressPolicy.from_environment() if policy is None else policy
    with entry.locked():
        return _Download(url, entry, chosen, limits or FetchLimits(), progress).run()


class _CutError(Exception):
    """One try ended early; another may succeed, after `pause` seconds if the server named them."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class _Download:
    """One URL on its way into one entry, over as many connections as that takes."""

    def __init__(
        self,
        url: str,
        entry: CacheEntry,
        policy: AddressPolicy,
        limits: FetchLimits,
        progress: Progress | None,
    ) -> None:
        self._url = url
        self._shown = without_query(url)
        self._entry = entry
        self._policy = policy
        self._limits = limits
        self._progress = progress
        self._deadline = time.monotonic() + limits.total_seconds

    def run(self) -> Fetched:
        """Try until the file is whole, or until too many tries in a row brought nothing new."""
        failures: list[str] = []
        while True:
            before = self._received()
            try:
                return self._attempt()
            except (TransportError, _CutError) as cut:
                if isinstance(cut, (CertificateError, UnusableURLError)):
                    raise DownloadError(str(cut)) from cut
                failures = [] if self._received() > before else failures
                failures.insert(0, str(cut))
                self._pause_after(cut, failures)

    def _attempt(self) -> Fetched:
        with contextlib.closing(self._open()) as stream:
            if stream.status == 304:
                return self._present(load_record(self._entry.record) or Record())
            if stream.status == 206:
                record = self._continued(stream)
            elif stream.status == 200:
                record = self._started(stream)
            else:
                raise self._refused(stream)
            self._receive(stream, record)
            return self._finished(stream, record)

    def _open(self) -> PooledStream:
        return open_url(
            self._url,
            {"Accept-Encoding": "identity", "User-Agent": "inferencesh", **self._conditions()},
            self._policy,
            connect_timeout=min(self._limits.connect_seconds, self._remaining()),
            read_timeout=min(self._limits.idle_seconds, self._remaining()),
        )

    def _conditions(self) -> dict[str, str]:
        """The headers that continue a partial copy, or spare a complete one."""
        part = load_record(self._entry.part_record)
        received = self._received()
        if part is not None and part.resumable and received:
            return {"Range": f"bytes={received}-", "If-Range": part.etag or part.last_modified or ""}
        record = load_record(self._entry.record)
        if record is None or record.size != _size_of(self._entry.body):
            return {}
        if record.etag:
            return {"If-None-Match": record.etag}
        return {"If-Modified-Since": record.last_modified} if record.last_modified else {}

    def _started(self, stream: PooledStream) -> Record:
        self._discard_part()
        encoded = _is_encoded(stream)
        etag = stream.headers.get("etag")
        modified = stream.headers.get("last-modified")
        strong = etag is not None and not etag.startswith("W/")
        record = Record(
            size=None if encoded else _length(stream),
            etag=etag,
            last_modified=modified,
            content_type=stream.headers.get("content-type"),
            resumable=not encoded and (strong or (etag is None and modified is not None)),
        )
        self._entry.part.touch()
        save_record(self._entry.part_record, record)
        return record

    def _continued(self, stream: PooledStream) -> Record:
        record = load_record(self._entry.part_record) or Record()
        position = _CONTENT_RANGE.fullmatch(stream.headers.get("content-range", ""))
        same = stream.headers.get("etag") in {None, record.etag} and not _is_encoded(stream)
        if position is None or int(position[1]) != self._received() or not same:
            self._discard_part()
            raise _CutError("the server continued with another part than the one asked for")
        total = None if position[2] == "*" else int(position[2])
        if None not in (total, record.size) and total != record.size:
            self._discard_part()
            raise _CutError("the file changed its size while it was downloaded")
        return replace(record, size=record.size if total is None else total)

    def _receive(self, stream: PooledStream, record: Record) -> None:
        limit = self._limits.max_decoded_bytes if _is_encoded(stream) else self._limits.max_bytes
        with open(self._entry.part, "ab") as file:
            self._check_size(max(record.size or 0, file.tell()), limit)
            while block := stream.read(min(self._limits.idle_seconds, self._remaining())):
                file.write(block)
                self._check_size(file.tell(), limit)
                if self._progress is not None:
                    self._progress(file.tell(), record.size)
            _flush(file)

    def _finished(self, stream: PooledStream, record: Record) -> Fetched:
        received = self._received()
        if record.size is not None and received < record.size:
            raise _CutError(f"cut after {received} of {record.size} bytes")
        if record.size is not None and received > record.size:
            self._discard_part()
            raise _CutError(f"{received} bytes came where {record.size} were announced")
        self._check_digest(stream)
        # Without a length nothing tells a whole copy from a cut one, so that copy is not offered again.
        known = record.size is not None or _is_encoded(stream)
        self._entry.record.unlink(missing_ok=True)
        os.replace(self._entry.part, self._entry.body)
        self._entry.part_record.unlink(missing_ok=True)
        if known:
            save_record(self._entry.record, replace(record, size=received))
        _log.debug("downloaded %s: %d bytes", self._shown, received)
        return self._present(record)

    def _check_digest(self, stream: PooledStream) -> None:
        announced = stream.headers.get("repr-digest") or stream.headers.get("digest") or ""
        if _is_encoded(stream):
            return
        for algorithm, value in _DIGEST.findall(announced):
            if not _matches(self._entry.part, algorithm.lower().replace("-", ""), value):
                self._discard_part()
                raise _CutError(f"its {algorithm} is not the one the server announced")

    def _present(self, record: Record) -> Fetched:
        self._entry.touch()
        size = _size_of(self._entry.body)
        if size is None:
            raise _CutError("the copy on disk disappeared")
        return Fetched(str(self._entry.body), size, (record.content_type or "").partition(";")[0] or None)

    def _refused(self, stream: PooledStream) -> Exception:
        if stream.status == 416:
            self._discard_part()
            return _CutError("HTTP 416: the server cannot continue")
        if stream.status in RETRIED_STATUSES:
            wait = stream.headers.get("retry-after", "")
            return _CutError(f"HTTP {stream.status}", float(wait) if wait.isdecimal() else 0.0)
        return DownloadError(f"cannot download {self._shown}: HTTP {stream.status}", status=stream.status)

    def _pause_after(self, cut: Exception, failures: list[str]) -> None:
        limits = self._limits
        if len(failures) >= limits.attempts:
            raise self._given_up(cut, failures) from cut
        luck = random.random()  # noqa: S311 - spreads retries, keeps no secret
        pause = backoff(len(failures), base=limits.backoff_base, cap=limits.backoff_cap, luck=luck)
        pause = max(pause, getattr(cut, "pause", 0.0))
        if pause >= self._deadline - time.monotonic():
            raise self._given_up(cut, failures) from cut
        _log.info("download of %s was interrupted (%s); trying again", self._shown, cut)
        time.sleep(pause)

    def _given_up(self, cut: Exception, failures: list[str]) -> DownloadError:
        return DownloadError(f"cannot download {self._shown}: {cut}", attempts=tuple(failures))

    def _check_size(self, size: int, limit: int) -> None:
        if size > limit:
            self._discard_part()
            raise DownloadError(f"{self._shown} is larger than the {limit} bytes allowed for a download")

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise DownloadError(
                f"{self._shown} took longer than {self._limits.total_seconds:g} s to download"
            )
        return remaining

    def _received(self) -> int:
        return _size_of(self._entry.part) or 0

    def _discard_part(self) -> None:
        self._entry.part.unlink(missing_ok=True)
        self._entry.part_record.unlink(missing_ok=True)


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _length(stream: PooledStream) -> int | None:
    text = stream.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def _is_encoded(stream: PooledStream) -> bool:
    return stream.headers.get("content-encoding", "identity").lower() not in {"", "identity"}


def _flush(file: BinaryIO) -> None:
    # A rename may reach the disk before the content does; after a power cut that would be a file of zeros.
    file.flush()
    os.fsync(file.fileno())


def _matches(path: Path, algorithm: str, announced: str) -> bool:
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    try:
        return digest.digest() == base64.b64decode(announced)
    except binascii.Error:
        return True  # an announcement nobody can read says nothing about the file
