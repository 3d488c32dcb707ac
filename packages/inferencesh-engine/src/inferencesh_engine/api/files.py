"""Files: announced, listed and removed (wire protocol 3); their content goes through `blobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.problems import Problem
from .idempotency import idempotency, mark_replayed
from .lists import list_query
from .routes import Route

if TYPE_CHECKING:
    from .call import Call

MAX_FILES = 1000


async def create(call: Call) -> list[dict[str, Any]]:
    """Announce files; each answer's `upload_url` takes the content. The order is the request's."""
    body = await call.json_object()
    wanted = body.get("files")
    if not isinstance(wanted, list) or not all(isinstance(file, dict) for file in wanted):
        raise Problem(400, "invalid_request", "files must be an array of objects")
    if len(wanted) > MAX_FILES:
        raise Problem(400, "invalid_request", f"at most {MAX_FILES} files at once, not {len(wanted)}")
    category = body.get("category")
    category = category if isinstance(category, str) else ""
    once = idempotency(call, body, route="files")
    announced = [
        await call.engine.files.announce(file, category=category, once=once, position=position)
        for position, file in enumerate(wanted)
    ]
    if any(announcement.replayed for announcement in announced):
        mark_replayed(call)
    return [announcement.file for announcement in announced]


async def get(call: Call) -> Any:
    """A file, with a fresh address."""
    return await call.engine.files.get(call.parameters["id"])


async def delete(call: Call) -> None:
    """Remove a file and its content."""
    await call.engine.files.delete(call.parameters["id"])


async def search(call: Call) -> Any:
    """A page of files."""
    return (await call.engine.files.list(list_query(await call.json_object()))).to_dto()


ROUTES = (
    Route("POST", "/files", create, "Announce files to upload"),
    Route("POST", "/files/list", search, "List files"),
    Route("GET", "/files/{id}", get, "Get a file"),
    Route("DELETE", "/files/{id}", delete, "Delete a file and its content"),
)
