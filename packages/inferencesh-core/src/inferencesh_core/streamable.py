"""NDJSON streams over whatever response object one has: requests, httpx, or anything that gives lines.

The response stays the caller's to close; `stream_get` and `stream_post` close what they opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# A read may wait until this many bytes are there, so more would hold back small events.
_READ_BYTES = 512


class StreamableMessage(NamedTuple):
    """One line of a stream.

    Attributes:
        data: The `data` member, or the whole line if it has none.
        event: The line's `event`, None if it has none.
        fields: Names of the members that changed, None if the line does not tell.
    """

    data: Any
    event: str | None = None
    fields: list[str] | None = None


def iter_ndjson(response: Any, on_heartbeat: Callable[[], None] | None = None) -> Generator[Any, None, None]:
    """The lines of `response` as values; heartbeats are not among them but call `on_heartbeat`."""
    for value in _values(response):
        if not _is_heartbeat(value):
            yield value
        elif on_heartbeat is not None:
            on_heartbeat()


def streamable_raw(response: Any, skip_heartbeats: bool = True) -> Generator[StreamableMessage, None, None]:
    """The lines of `response` with their event and the names of changed fields."""
    for value in _values(response):
        if not (skip_heartbeats and _is_heartbeat(value)):
            yield _message(value)


def streamable(response: Any, skip_heartbeats: bool = True) -> Generator[Any, None, None]:
    """The lines of `response`: each one's `data` member, or the whole value if it has none."""
    for message in streamable_raw(response, skip_heartbeats):
        yield message.data


def stream_get(
    client: Any,
    url: str,
    headers: dict[str, str] | None = None,
    skip_heartbeats: bool = True,
    timeout: float | None = None,
) -> Generator[Any, None, None]:
    """GET `url` with an httpx-like client and go through its lines as `streamable` does.

    `timeout` is in seconds and goes to the client as it is; a failing status raises the client's own error.
    """
    yield from _stream(client, "GET", url, headers, skip_heartbeats=skip_heartbeats, timeout=timeout)


def stream_post(
    client: Any,
    url: str,
    json_body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    skip_heartbeats: bool = True,
    timeout: float | None = None,
) -> Generator[Any, None, None]:
    """POST `json_body` and go through the lines of the answer; otherwise like `stream_get`."""
    yield from _stream(
        client, "POST", url, headers, skip_heartbeats=skip_heartbeats, json=json_body, timeout=timeout
    )


def _stream(
    client: Any,
    method: str,
    url: str,
    headers: dict[str, str] | None,
    *,
    skip_heartbeats: bool,
    **options: Any,
) -> Iterator[Any]:
    accepting = {"Accept": "application/x-ndjson", **(headers or {})}
    with client.stream(method, url, headers=accepting, **options) as response:
        response.raise_for_status()
        yield from streamable(response, skip_heartbeats)


def _values(response: Any) -> Iterator[Any]:
    # `inferencesh` imports this module at once, and most programs never come here.
    from .http.ndjson import LineDecoder  # noqa: PLC0415

    decoder = LineDecoder()
    for chunk in _chunks(response):
        yield from decoder.feed(chunk)
    yield from decoder.close()


def _chunks(response: Any) -> Iterator[bytes]:
    # Bytes before lines: libraries also split lines at characters that are text inside JSON strings.
    if hasattr(response, "iter_bytes"):
        yield from response.iter_bytes()
    elif hasattr(response, "iter_content"):
        yield from response.iter_content(chunk_size=_READ_BYTES)
    elif hasattr(response, "iter_lines"):
        for line in response.iter_lines():
            yield (line.encode() if isinstance(line, str) else line) + b"\n"
    else:
        raise TypeError(f"{type(response).__name__} has none of iter_bytes, iter_content and iter_lines")


def _is_heartbeat(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "heartbeat"


def _message(value: Any) -> StreamableMessage:
    if not isinstance(value, dict):
        return StreamableMessage(value)
    return StreamableMessage(value.get("data", value), value.get("event"), value.get("fields"))
