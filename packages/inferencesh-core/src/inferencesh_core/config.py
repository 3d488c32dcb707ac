"""The defaults of a client, all in one place, and what a caller may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .secret import Secret

DEFAULT_BASE_URL = "https://api.inference.sh"

UploadStrings = Literal["explicit", "never", "legacy"]


class ClientConfig(NamedTuple):
    """How a client behaves.

    Attributes:
        base_url: Where the API is, without a trailing slash.
        api_key: The credential, ``None`` where the endpoint needs none.
        connect_timeout: Seconds until a connection stands.
        read_timeout: Seconds to wait for the response of one try.
        deadline: Seconds for a logical call with all its tries. Waiting for a task has none unless asked.
        max_attempts: Tries per logical call.
        backoff_base: Seconds of the first pause between tries; it doubles from try to try, with full jitter.
        backoff_cap: The longest pause, in seconds.
        idle_seconds: Silence on a stream after which the client asks the server and reconnects.
        max_line_bytes: The longest line of a stream.
        max_response_bytes: The longest answer to a call, unpacked.
        upload_strings: Which strings of a task's input name files: ``"explicit"`` (data URIs, and paths that
            start with ``/``, ``./``, ``../`` or ``~/``), ``"never"`` (data URIs only), ``"legacy"`` (as 0.7.8
            did).
        upload_concurrency: Files of one input that go up side by side.
        pool_size: Idle connections kept for each host.
        verify: ``True`` checks certificates against the usual authorities, a path names a CA bundle,
            ``False`` checks nothing.
        user_agent: What the client calls itself.
    """

    base_url: str = DEFAULT_BASE_URL
    api_key: Secret | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    deadline: float = 60.0
    max_attempts: int = 5
    backoff_base: float = 0.25
    backoff_cap: float = 8.0
    idle_seconds: float = 35.0
    max_line_bytes: int = 64 * 1024 * 1024
    max_response_bytes: int = 256 * 1024 * 1024
    upload_strings: UploadStrings = "explicit"
    upload_concurrency: int = 4
    pool_size: int = 64
    verify: bool | str = True
    user_agent: str = "inference-sdk-py/0.8.0"
