"""Files kept on disk under digests: where they lie, who may write them, and what is known about them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_MODE = 0o700
MAX_NAME_BYTES = 120

_BESIDE = (".lock", ".part.json", ".part", ".json")

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
_EXTENSION = re.compile(r"\.[a-z0-9]{1,12}", re.IGNORECASE | re.ASCII)


def cache_directory() -> Path:
    """Give the folder of cached files, made if missing: `FILE_CACHE_DIR`, else one in the user's home."""
    chosen = os.environ.get("FILE_CACHE_DIR")
    if chosen:
        folder = Path(chosen).expanduser().absolute()
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return folder
    folder = Path.home() / ".cache" / "inferencesh" / "files"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
        folder.chmod(FOLDER_MODE)  # earlier versions left it readable to others
    return folder


def display_name(url: str) -> str:
    """Give the file name to show for a URL: its last part, decoded, without anything a path is made of."""
    try:
        last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        last = ""
    name = _UNSAFE.sub("_", unquote(last)).strip(". ")
    while len(name.encode()) > MAX_NAME_BYTES:
        stem, extension = os.path.splitext(name)
        name = stem[:-1] + extension if stem[:-1] else name[:-1]
    return name or "download"


@dataclass(frozen=True)
class Record:
    """What a server said about a stored file.

    Attributes:
        size: Bytes of the whole, None when the server did not say.
        etag: The entity tag as sent, None without one.
        last_modified: The header as sent, None without one.
        content_type: The header as sent, None without one.
        resumable: Whether the bytes stored so far may be continued by a range request.
    """

    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    resumable: bool = False


@dataclass(frozen=True)
class CacheEntry:
    """One file of a cache, and the files beside it that make it safe to share between processes."""

    body: Path

    @classmethod
    def of_url(cls, url: str) -> CacheEntry:
        """Give the entry of a URL in the user's cache."""
        extension = os.path.splitext(display_name(url))[1]
        return cls._named(url, extension)

    @classmethod
    def of_data(cls, uri: str, extension: str) -> CacheEntry:
        """Give the entry of a data URI's content in the user's cache."""
        return cls._named(uri, extension)

    @classmethod
    def _named(cls, key: str, extension: str) -> CacheEntry:
        safe = extension.lower() if _EXTENSION.fullmatch(extension) else ""
        return cls(cache_directory() / f"{digest_of(key)}{safe}")

    @property
    def part(self) -> Path:
        """Where the bytes of an unfinished download are."""
        return self._beside(".part")

    @property
    def record(self) -> Path:
        """What is known about `body`."""
        return self._beside(".json")

    @property
    def part_record(self) -> Path:
        """What is known about `part`."""
        return self._beside(".part.json")

    def _beside(self, suffix: str) -> Path:
        return self.body.with_name(f".{self.body.name}{suffix}")

    @property
    def lock(self) -> Path:
        """What is locked; empty."""
        return self._beside(".lock")

    @classmethod
    def owner_of(cls, file: Path) -> CacheEntry:
        """Give the entry that a file of a cache belongs to."""
        name = file.name
        if name.startswith("."):
            name = next((name[1 : -len(end)] for end in _BESIDE if name.endswith(end)), name)
        return cls(file.with_name(name))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the entry against every other thread and process; a holder that dies lets go."""
        self.body.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        while True:
            with open(self.lock, "ab") as file:
                _lock(file.fileno())
                # Whoever removed the entry removed this file as well: the next holder has locked another one.
                if _is_still(self.lock, file.fileno()):
                    yield
                    return

    def touch(self) -> None:
        """Note that the body is used now; what was not used for long is removed first."""
        with contextlib.suppress(OSError):  # the time is all that is lost
            os.utime(self.body)

    def remove(self) -> bool:
        """Remove all there is of the entry; gives False, and does nothing, while somebody holds it."""
        with contextlib.suppress(FileNotFoundError), open(self.lock, "ab") as file:
            if not _try_lock(file.fileno()):
                return False
            for each in (self.body, self.part, self.record, self.part_record):
                each.unlink(missing_ok=True)
            with contextlib.suppress(PermissionError):  # Windows removes no file that is open
                self.lock.unlink(missing_ok=True)
        return True

    def store(self, data: bytes) -> None:
        """Put `data` in place as a whole, unless a body of this size is there."""
        with contextlib.suppress(FileNotFoundError):
            if self.body.stat().st_size == len(data):
                self.touch()
                return
        self.body.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        handle, temporary = _temporary_in(self.body.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, self.body)


def digest_of(text: str) -> str:
    """Give the name under which `text` is cached."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load_record(path: Path) -> Record | None:
    """Give the record at `path`, None when there is none that can be read."""
    try:
        return Record(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_record(path: Path, record: Record) -> None:
    """Put `record` at `path`, whole or not at all."""
    handle, temporary = _temporary_in(path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    os.replace(temporary, path)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the file that is open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        while True:
            # msvcrt gives up after ten seconds; a large download takes longer.
            with contextlib.suppress(OSError):
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                return

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _temporary_in(folder: Path) -> tuple[int, str]:
    import tempfile  # noqa: PLC0415 - most workers never download

    return tempfile.mkstemp(dir=folder)
