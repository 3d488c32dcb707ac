"""Putting a client together: arguments and environment become settings, settings and plugins its parts.

Both clients do this alike; only the driver and the transport's world differ.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, TypedDict

from .config import DEFAULT_BASE_URL, ClientConfig, UploadStrings
from .context import ClientContext
from .errors import ConfigurationError
from .http.api import Api
from .http.seat import Seat
from .plugins.hooks import Hooks
from .secret import Secret
from .settings import check_option, checked_address, checked_key, checked_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
    max_response_bytes: int
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
    written = checked_text("base_url", base_url) or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    given = checked_text("api_key", api_key)
    endpoint = hooks.endpoint(written)
    if endpoint is not None:
        config = _at_endpoint(settings, endpoint)
    else:
        key = os.environ.get(KEY_VARIABLE) if given is None else given
        config = settings._replace(base_url=checked_address(written), api_key=checked_key(key))
    return Assembly(config, hooks, namespaces, endpoint, options)


def _at_endpoint(config: ClientConfig, endpoint: Endpoint) -> ClientConfig:
    return config._replace(base_url=endpoint.base_url.rstrip("/"), api_key=Secret(endpoint.token))


def namespace_of(client: Any, name: str, asynchronous: bool = False) -> Any:
    """Make an attribute that a package adds to clients, and keep it.

    Raises:
        AttributeError: no package adds it; the text names the one to install, where there is one.
    """
    create = None if name.startswith("_") else _namespaces_of(client, asynchronous).get(name)
    if create is None:
        raise AttributeError(_what_is_missing(type(client).__name__, name))
    value = create(client)
    setattr(client, name, value)
    return value


def names_of(client: Any, usual: Iterable[str], asynchronous: bool = False) -> list[str]:
    """Give the names of a client's attributes: the usual ones, and the namespaces it really has."""
    return sorted({*usual} - _PACKAGES.keys() | _namespaces_of(client, asynchronous).keys())


def _namespaces_of(client: Any, asynchronous: bool) -> dict[str, Callable[[Any], object]]:
    found: dict[str, Namespace] = client._assembly.namespaces  # noqa: SLF001 - the clients' own code
    creating = {name: each.create_async if asynchronous else each.create for name, each in found.items()}
    return {name: create for name, create in creating.items() if create is not None}


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


_IGNORED = frozenset({"sse_chunk_size", "sse_mode"})


def _settings(options: ClientOptions) -> ClientConfig:
    known = ClientOptions.__annotations__.keys()
    unknown = options.keys() - known
    if unknown:
        raise TypeError(
            f"inference() has no option {', '.join(map(repr, sorted(unknown)))}; "
            f"there are {sorted(known - _IGNORED)}"
        )
    for name, value in options.items():
        check_option(name, value)
    settings: dict[str, Any] = {
        name: value for name, value in options.items() if name in ClientConfig._fields
    }
    return ClientConfig(**settings)
