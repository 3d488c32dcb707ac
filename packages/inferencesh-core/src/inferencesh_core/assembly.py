"""Putting a client together: arguments and environment become settings, settings and plugins its parts.

Both clients do this alike; only the driver and the transport's world differ.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from .config import DEFAULT_BASE_URL, ClientConfig, UploadStrings
from .context import ClientContext
from .errors import ConfigurationError
from .http.api import Api
from .http.seat import Seat
from .plugins.hooks import Hooks
from .secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

    from .http.auth import Auth
    from .http.transport import AsyncTransport, Transport
    from .plugins.specs import Endpoint, Namespace

KEY_VARIABLE = "INFERENCE_API_KEY"
BASE_URL_VARIABLE = "INFERENCE_BASE_URL"


class ClientOptions(TypedDict, total=False):
    """What can be set besides key and address.

    The first four are objects; the rest are fields of `ClientConfig`, described there. ``sse_chunk_size`` and
    ``sse_mode`` are accepted for code that passes them; they never did anything.
    """

    auth: Auth
    transport: Any
    plugins: Sequence[object]
    connect_timeout: float
    read_timeout: float
    deadline: float
    max_attempts: int
    backoff_base: float
    backoff_cap: float
    idle_seconds: float
    max_line_bytes: int
    upload_strings: UploadStrings
    upload_concurrency: int
    pool_size: int
    verify: bool | str
    user_agent: str
    sse_chunk_size: int | None
    sse_mode: str | None


class Assembly:
    """The parts of a client."""

    def __init__(
        self,
        config: ClientConfig,
        hooks: Hooks,
        namespaces: dict[str, Namespace],
        endpoint: Endpoint | None,
        options: ClientOptions,
    ) -> None:
        self.namespaces = namespaces
        self._endpoint = endpoint
        self._lock = Lock()
        self._transport = options.get("transport")
        self._given_auth = options.get("auth")
        move = self._move if endpoint is not None and endpoint.renew is not None else None
        seat = Seat(config.base_url, self._auth(config, hooks), move)
        self.context = ClientContext(config, Api(config, hooks, seat), hooks)

    def transport(self) -> Transport:
        """Give the synchronous transport: the caller's, or the first that a plugin offers."""
        return self._transport or self.context.hooks.transport(self.context.config)

    def async_transport(self) -> AsyncTransport:
        """Give the asynchronous transport: the caller's, or the first that a plugin offers.

        Raises:
            ConfigurationError: no plugin offers one.
        """
        transport = self._transport or self.context.hooks.async_transport(self.context.config)
        if transport is None:
            raise ConfigurationError(
                "no plugin brings an asynchronous transport: pip install inferencesh-async, and look whether "
                "INFERENCESH_DISABLE_PLUGINS leaves it out"
            )
        return transport

    @property
    def has_endpoint(self) -> bool:
        """Whether there is an endpoint to let go of, such as an engine."""
        return self._endpoint is not None

    def close(self) -> None:
        """Let go of the endpoint; the second time does nothing."""
        with self._lock:
            endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()

    def _move(self) -> tuple[str, Auth | None]:
        """Go over to the endpoint that there is in place of one that is gone."""
        with self._lock:
            gone = self._endpoint
            if gone is None or gone.renew is None:
                raise ConfigurationError("this client is closed")
            self._endpoint = gone.renew()
            config = _at_endpoint(self.context.config, self._endpoint)
            self.context = self.context._replace(config=config)
        gone.close()
        return config.base_url, self._auth(config, self.context.hooks)

    def _auth(self, config: ClientConfig, hooks: Hooks) -> Auth:
        auth = self._given_auth or hooks.auth(config)
        if auth is None:
            raise ConfigurationError(
                f"no API key for {config.base_url}: pass api_key=..., or set the variable {KEY_VARIABLE}"
            )
        return auth


def assemble(api_key: str | None, base_url: str | None, options: ClientOptions) -> Assembly:
    """Give the parts of a client.

    Raises:
        ConfigurationError: a setting is missing or cannot be used.
    """
    settings = _settings(options)
    hooks = Hooks(options.get("plugins", ()))
    namespaces = hooks.namespaces()
    written = base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    endpoint = hooks.endpoint(written)
    if endpoint is not None:
        config = _at_endpoint(settings, endpoint)
    else:
        config = settings._replace(base_url=_checked_address(written), api_key=_key(api_key))
    return Assembly(config, hooks, namespaces, endpoint, options)


def _at_endpoint(config: ClientConfig, endpoint: Endpoint) -> ClientConfig:
    return config._replace(base_url=endpoint.base_url.rstrip("/"), api_key=Secret(endpoint.token))


def namespace_of(client: Any, name: str, asynchronous: bool = False) -> Any:
    """Make an attribute that a package adds to clients, and keep it.

    Raises:
        AttributeError: no package adds it; the text names the one to install, where there is one.
    """
    namespace = None if name.startswith("_") else client._assembly.namespaces.get(name)  # noqa: SLF001 - the clients' own code
    create = namespace and (namespace.create_async if asynchronous else namespace.create)
    if create is None:
        raise AttributeError(_what_is_missing(type(client).__name__, name))
    value = create(client)
    setattr(client, name, value)
    return value


_PACKAGES = {
    "agent": "inferencesh-agents",
    "agents": "inferencesh-agents",
    "session": "inferencesh-sessions",
    "sessions": "inferencesh-sessions",
}


def _what_is_missing(client: str, name: str) -> str:
    if name in _PACKAGES:
        return f"client.{name} comes with the package {_PACKAGES[name]}: pip install {_PACKAGES[name]}"
    return f"{client!r} object has no attribute {name!r}"


def _settings(options: ClientOptions) -> ClientConfig:
    known = {*ClientConfig._fields} - {"base_url", "api_key"}
    unknown = options.keys() - known - {"auth", "transport", "plugins", "sse_chunk_size", "sse_mode"}
    if unknown:
        raise TypeError(
            f"inference() has no option {', '.join(map(repr, sorted(unknown)))}; there are {sorted(known)}"
        )
    settings: dict[str, Any] = {name: value for name, value in options.items() if name in known}
    for name, value in settings.items():
        _check_setting(name, value)
    return ClientConfig(**settings)


def _check_setting(name: str, value: Any) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
        raise ConfigurationError(f"{name} must be more than 0, not {value!r}")
    if name == "upload_strings" and value not in {"explicit", "never", "legacy"}:
        raise ConfigurationError(f"upload_strings must be 'explicit', 'never' or 'legacy', not {value!r}")


def _checked_address(base_url: str) -> str:
    if base_url.startswith("local:"):
        raise ConfigurationError(f"{base_url!r} needs the local engine: pip install inferencesh-engine")
    parts = _parts_of(base_url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"base_url {base_url!r} is no address: expected https://HOST, or local:FOLDER"
        )
    if parts.username or parts.query or parts.fragment:
        raise ConfigurationError(
            f"base_url must be only an address and a path, without credentials: {parts.hostname}"
        )
    return base_url.rstrip("/")


def _parts_of(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _key(api_key: str | None) -> Secret | None:
    key = (os.environ.get(KEY_VARIABLE) if api_key is None else api_key) or ""
    key = key.strip()
    if any(character <= " " or character > "~" for character in key):
        raise ConfigurationError(
            "the API key has characters no key has (spaces, line ends, accents): copy it anew"
        )
    return Secret(key) if key else None
