"""What of a request goes out before its body."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from inferencesh_core.http.messages import target_of

if TYPE_CHECKING:
    from inferencesh_core.http.messages import Request

_HAVE_BODIES = frozenset({"POST", "PUT", "PATCH"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSENDABLE = re.compile("[\r\n\0]")


class Head(NamedTuple):
    """The head of a request.

    Attributes:
        data: As it goes out.
        in_chunks: Whether it says that the body comes in chunks.
    """

    data: bytes
    in_chunks: bool


def head_of(request: Request, host: str) -> Head:
    """Write the head of a request.

    Args:
        request: The request.
        host: What it calls its origin.

    Raises:
        ValueError: a header cannot be sent; the text names it, and not its value, which may be a credential.
    """
    headers = request.headers
    given = {_checked_name(name) for name in headers}
    lines = [f"{request.method} {target_of(request.url)} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {host}")
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: identity")
    size = _size_of(request)
    if size is not None and "content-length" not in given:
        lines.append(f"Content-Length: {size}")
    in_chunks = size is None and request.body is not None and "content-length" not in given
    if in_chunks:
        lines.append("Transfer-Encoding: chunked")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if not text.isascii() or _UNSENDABLE.search("".join(lines)):
        _check(request)
    return Head(text.encode("latin-1") + b"\r\n\r\n", in_chunks)


@lru_cache(maxsize=256)
def _checked_name(name: str) -> str:
    """Give the name of a header in lower case."""
    lower = name.lower()
    if not _TOKEN.fullmatch(name) or lower == "transfer-encoding":
        raise ValueError(f"a request cannot have the header {name!r}")
    return lower


def _check(request: Request) -> None:
    """Find what cannot be sent, if anything."""
    if not _TOKEN.fullmatch(request.method):
        raise ValueError(f"{request.method!r} is no method of HTTP")
    for name, value in request.headers.items():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"the header {name!r} has characters in it that no header can have") from None
        if _UNSENDABLE.search(value):
            raise ValueError(f"the header {name!r} has a line end in it")


def _size_of(request: Request) -> int | None:
    """Give the length of the body; ``None`` when there is no body, or nobody knows."""
    body = request.body
    if body is None:
        return 0 if request.method in _HAVE_BODIES else None
    return len(body) if isinstance(body, bytes) else body.size
