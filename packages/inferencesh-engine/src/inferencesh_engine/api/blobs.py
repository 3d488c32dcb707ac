"""The content of files, behind signed addresses that need no token."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import hdrs
from aiohttp.web_response import Response

from ..blobs import too_large
from ..signing import Purpose
from .call import CUT, incomplete
from .routes import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_response import StreamResponse

    from ..domain.files import FileRecord
    from .call import Call

# What a browser may show in place. Everything else is offered as a download, and nothing may run scripts:
# the files share an origin with the API.
_SHOWN = ("image/", "audio/", "video/", "text/plain")
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


async def read(call: Call) -> StreamResponse:
    """The content, or the range asked for."""
    from aiohttp.web_fileresponse import FileResponse  # noqa: PLC0415 - reads tables of file types

    file_id = _checked(call, Purpose.READ)
    record = await call.engine.files.stored(file_id)
    call.headers.update(_content_headers(record))
    return FileResponse(call.engine.files.blobs.path(file_id), headers=call.headers)


async def write(call: Call) -> Response:
    """Take the content. One whose connection is cut leaves nothing."""
    file_id = _checked(call, Purpose.WRITE)
    max_bytes = call.engine.files.blobs.max_bytes
    if (call.request.content_length or 0) > max_bytes:
        raise too_large(max_bytes)
    call.expect_body()
    record = await call.engine.files.receive(file_id, _content(call))
    del call.headers[hdrs.CONTENT_TYPE]
    call.headers["Repr-Digest"] = _digest(record)
    return Response(headers=call.headers)


def _checked(call: Call, purpose: Purpose) -> str:
    file_id = call.parameters["id"]
    call.engine.files.signer.check(purpose, file_id, call.request.query, now=time.time())
    return file_id


async def _content(call: Call) -> AsyncIterator[bytes]:
    try:
        async for chunk in call.request.content.iter_any():
            yield chunk
    except CUT as error:
        raise incomplete(error) from error


def _content_headers(record: FileRecord) -> dict[str, str]:
    shown = record.content_type.startswith(_SHOWN) and not record.content_type.startswith("image/svg")
    disposition = "inline" if shown else "attachment"
    return {
        "Content-Type": record.content_type,
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(record.filename)}",
        "Content-Security-Policy": _SANDBOX,
        "Cache-Control": "private, max-age=3600",
        "Repr-Digest": _digest(record),
    }


def _digest(record: FileRecord) -> str:
    return f"sha-256=:{b64encode(bytes.fromhex(record.digest or '')).decode()}:"


ROUTES = (
    Route("GET", "/blobs/{id}/{filename}", read, "Read a file by its signed address", open=True),
    Route("HEAD", "/blobs/{id}/{filename}", read, "Size and digest of a file", open=True),
    Route("PUT", "/blobs/{id}/{filename}", write, "Upload a file's content", open=True, raw_body=True),
)
