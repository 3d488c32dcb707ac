"""Signed addresses of files: whoever holds one may read, or upload, that file until it expires."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from .domain.problems import EngineStartError, Problem
from .private_files import keep_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

READ_PATH = "/blobs/"
_ADDRESS = re.compile(r"(?:https?:/)?/\S+")
KEY_BYTES = 32
NEVER = 0
"""The expiry of an address that does not expire."""


class Purpose(Enum):
    """What an address may be used for; one for reading cannot be used to write."""

    READ = "read"
    WRITE = "write"


_RENEWAL = {
    Purpose.READ: "GET /files/{id} gives a new one",
    Purpose.WRITE: "announce the file again with POST /files",
}


@dataclass(frozen=True)
class ReadAddress:
    """What an address to read says; `expires` is Unix seconds, or NEVER."""

    file_id: str
    filename: str
    expires: int


class UrlSigner:
    """Signs and checks with HMAC-SHA256, in constant time."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def target(self, purpose: Purpose, file_id: str, filename: str, expires: int) -> str:
        """The path and query of a file's address; `expires` is Unix seconds, or NEVER."""
        signature = self._signature(purpose, file_id, expires)
        return f"/blobs/{file_id}/{quote(filename, safe='')}?exp={expires}&sig={signature}"

    def check(self, purpose: Purpose, file_id: str, query: Mapping[str, str], *, now: float) -> None:
        """Pass if the query of an address allows the purpose; raises a 403 problem otherwise."""
        expires = self._signed_expiry(purpose, file_id, query)
        if expires is None:
            raise Problem(
                403, "invalid_signature", "this address is not signed for what you are doing with it"
            )
        if expires != NEVER and expires < now:
            raise Problem(403, "address_expired", f"this address has expired; {_RENEWAL[purpose]}")

    def readable_file(self, address: str) -> str | None:
        """The id of the file that an address was once signed to read, expired or not; None: not ours.

        The host does not matter: an engine that restarts may listen on another port.
        """
        signed = self.read_address(address)
        return signed.file_id if signed is not None else None

    def read_address(self, address: str) -> ReadAddress | None:
        """The same, with the other parts of the address; None also for text that only contains one."""
        if not _ADDRESS.fullmatch(address):
            return None
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        segments = parts.path.split("/")
        if len(segments) < 4 or segments[-3] != "blobs":
            return None
        file_id = unquote(segments[-2])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        expires = self._signed_expiry(Purpose.READ, file_id, query)
        return ReadAddress(file_id, unquote(segments[-1]), expires) if expires is not None else None

    def _signed_expiry(self, purpose: Purpose, file_id: str, query: Mapping[str, str]) -> int | None:
        text = query.get("exp", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            return None
        expected = self._signature(purpose, file_id, int(text))
        given = query.get("sig", "")
        return int(text) if hmac.compare_digest(expected.encode(), given.encode()) else None

    def _signature(self, purpose: Purpose, file_id: str, expires: int) -> str:
        message = f"{purpose.value}\n{file_id}\n{expires}".encode()
        return urlsafe_b64encode(hmac.digest(self._key, message, "sha256")).rstrip(b"=").decode()


def kept_key(path: Path) -> bytes:
    """The key in the file, made if it is not there yet; raises EngineStartError when it is damaged."""
    key = keep_private(path, secrets.token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise EngineStartError(
            f"{path} is damaged; remove it, and addresses of files made before stop working"
        )
    return key
