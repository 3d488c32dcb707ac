"""An app: a folder with a manifest, in the version its content makes it."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inferencesh_app.manifest import Manifest

DEFAULT_NAMESPACE = "local"
SHIPPED_NAMESPACE = "inferencesh"

_ID_LENGTH = 26
SHORT_ID_LENGTH = 8
# Larger files count by size and time: weights of a model are not read to see whether they changed.
_MAX_DIGESTED_BYTES = 1024 * 1024
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "venv"}
_SKIPPED_SUFFIXES = {".pyc", ".log", ".tmp", ".swp"}
_MEDIA = {"image", "video", "audio"}

# A file as the file system sees it: path inside the folder, size, times and inode.
Stamp = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class App:
    """One version of an app.

    Attributes:
        app_id: The same for all versions.
        version_id: A digest of the folder's content, 26 characters.
    """

    namespace: str
    name: str
    app_id: str
    version_id: str
    folder: Path
    manifest: Manifest

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def short_version(self) -> str:
        """The version as references write it."""
        return self.version_id[:SHORT_ID_LENGTH]


def read_app(folder: Path, stamps: tuple[Stamp, ...]) -> App:
    """The app in a folder that looks like `stamps`; raises `ManifestError`."""
    from inferencesh_app.manifest import load_manifest  # noqa: PLC0415  # brings a YAML parser

    manifest = load_manifest(folder)
    namespace = manifest.namespace or DEFAULT_NAMESPACE
    app_id = identifier(f"{namespace}/{manifest.name}".encode())
    return App(namespace, manifest.name, app_id, _version(folder, stamps), folder, manifest)


def stamps_of(folder: Path) -> tuple[Stamp, ...]:
    """What the files of an app look like, cheaply: equal as long as nothing was edited.

    Hidden files, caches, logs and media do not count: an app has its folder as working directory and may
    write such files there, which must not make it another app. Raises OSError when the folder is gone.
    """
    return tuple(sorted(_stamps(folder, "")))


def _stamps(folder: Path | str, prefix: str) -> Iterator[Stamp]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_FOLDERS:
                    yield from _stamps(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file() and _counts(entry.name):
                seen = entry.stat()
                yield (f"{prefix}{entry.name}", seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


@lru_cache(maxsize=4096)
def _counts(name: str) -> bool:
    if os.path.splitext(name)[1] in _SKIPPED_SUFFIXES:
        return False
    kind = mimetypes.guess_type(name)[0] or ""
    return kind.partition("/")[0] not in _MEDIA


def _version(folder: Path, stamps: tuple[Stamp, ...]) -> str:
    lines = []
    for path, size, modified, *_ in stamps:
        if size > _MAX_DIGESTED_BYTES:
            lines.append(f"{path} {size} {modified}")
        else:
            lines.append(f"{path} {hashlib.sha256((folder / path).read_bytes()).hexdigest()}")
    return identifier("\n".join(lines).encode())


def identifier(content: bytes) -> str:
    """A digest as ids are written: 26 characters, lower-case letters and digits."""
    return base64.b32encode(hashlib.sha256(content).digest()).decode().lower()[:_ID_LENGTH]
