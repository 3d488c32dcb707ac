"""NDJSON streams over any response object; the code is in `inferencesh_core.streamable`."""

from inferencesh_core.streamable import (
    StreamableMessage,
    iter_ndjson,
    stream_get,
    stream_post,
    streamable,
    streamable_raw,
)

__all__ = [
    "StreamableMessage",
    "iter_ndjson",
    "stream_get",
    "stream_post",
    "streamable",
    "streamable_raw",
]
