"""What kind of content a file holds, by its name or its first bytes.

The tables are our own and Python's built-in ones, never the machine's: a file is labelled alike everywhere.
"""

from __future__ import annotations

import mimetypes
import os
import re
from functools import cache

DEFAULT = "application/octet-stream"

SNIFFED_BYTES = 32
"""How many of its first bytes tell an image."""

# Unknown to some supported Python, or known by different names to different ones.
_BY_EXTENSION = {
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".exr": "image/x-exr",
    ".flac": "audio/flac",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ipynb": "application/x-ipynb+json",
    ".jsonl": "application/jsonl",
    ".jxl": "image/jxl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg",
    ".ndjson": "application/x-ndjson",
    ".obj": "model/obj",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/opus",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".ply": "model/ply",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rtf": "application/rtf",
    ".srt": "application/x-subrip",
    ".stl": "model/stl",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".usdz": "model/vnd.usdz+zip",
    ".vtt": "text/vtt",
    ".wav": "audio/x-wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_BY_ENCODING = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}

# Python's own answers would be .jpe, .htm and the like.
_USUAL_EXTENSION = {
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "image/jpeg": ".jpg",
    "image/tiff": ".tiff",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "application/yaml": ".yaml",
    DEFAULT: ".bin",
}

_BY_FIRST_BYTES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "image/avif"),
    (re.compile(rb"....ftyp(?:hei[cx]|hevc|mif1)", re.DOTALL), "image/heic"),
    (re.compile(rb"BM.{4}\x00\x00\x00\x00", re.DOTALL), "image/bmp"),
    (re.compile(rb"II\*\x00|MM\x00\*"), "image/tiff"),
    (re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "), "image/jxl"),
)


@cache
def _tables() -> mimetypes.MimeTypes:
    return mimetypes.MimeTypes()


def by_name(filename: str) -> str | None:
    """Give the content type a file's name tells, in any case of letters; None when it tells nothing."""
    name = os.path.basename(filename).lower()
    known = _BY_EXTENSION.get(os.path.splitext(name)[1])
    if known is not None:
        return known
    # With ./ in front, a name that has a colon is not taken for a URL.
    guessed, encoding = _tables().guess_type(f"./{name}")
    return _BY_ENCODING.get(encoding, guessed) if encoding else guessed


def by_first_bytes(head: bytes) -> str | None:
    """Give the content type of an image by its first bytes (`SNIFFED_BYTES` suffice), None for all else."""
    return next((kind for pattern, kind in _BY_FIRST_BYTES if pattern.match(head)), None)


def by_file(path: str | os.PathLike[str]) -> str | None:
    """Give the content type of a readable file: by its name, else by its first bytes, else None."""
    known = by_name(os.fspath(path))
    if known is not None:
        return known
    try:
        with open(path, "rb") as file:
            return by_first_bytes(file.read(SNIFFED_BYTES))
    except (OSError, ValueError):  # ValueError: a name with a null byte
        return None


def extension_of(content_type: str) -> str:
    """Give the usual file name extension of a content type, with its dot; empty when there is none."""
    bare = content_type.partition(";")[0].strip().lower()
    ours = (extension for extension, kind in _BY_EXTENSION.items() if kind == bare)
    return _USUAL_EXTENSION.get(bare) or next(ours, None) or _tables().guess_extension(bare) or ""
