"""A transport on `requests`, for those whose tools work on its sessions.

`inference(transport=RequestsTransport(config))`, or a plugin's ``inferencesh_transport``, puts it in place of
the built-in one::

    transport = RequestsTransport()
    transport.session.mount("https://", MyAdapter())
    client = inference(transport=transport)
"""

from __future__ import annotations

import os
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError

from ..config import ClientConfig
from ..errors import ConnectError
from .deadlines import SEND_BLOCK_BYTES, opened_body
from .environment import proxy_for, tls_context
from .messages import origin_of
from .pooling import PooledStream, as_transport_error, close_pools, use_deadlines, whole_response

if TYPE_CHECKING:
    import ssl

    from ..errors import TransportError
    from .messages import Request, Response


class RequestsTransport:
    """Sends by one session of `requests`; the environment is read when an origin is first met.

    Args:
        config: How many connections to keep and whom to trust; the defaults when absent.

    Attributes:
        session: Where adapters can be mounted; its headers, cookies and credentials are not used.
    """

    def __init__(self, config: ClientConfig | None = None) -> None:
        self._config = config or ClientConfig()
        self._proxies: dict[str, dict[str, str]] = {}
        self._process = os.getpid()
        self.session = self._new_session()

    def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        return whole_response(self._exchange(request), request, self._config.max_response_bytes)

    def open(self, request: Request) -> PooledStream:
        """Open a response; see `Transport.open`."""
        return PooledStream(self._exchange(request), request)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        self.session.close()

    def _exchange(self, request: Request) -> Any:
        if self._process != os.getpid():
            # After a fork, sockets belong to the parent: two processes on one connection mix their answers.
            self.session, self._process = self._new_session(), os.getpid()
        body, headers, close_body = opened_body(request)
        try:
            response = self.session.send(
                _prepared(request, body, headers),
                stream=True,
                timeout=(request.connect_timeout, request.read_timeout),
                allow_redirects=False,
                verify=self._config.verify is not False,
                proxies=self._proxies_to(origin_of(request.url)),
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _as_transport_error(error, request) from error
        finally:
            close_body()
        response.raw.decode_content = True
        return response.raw

    def _proxies_to(self, origin: str) -> dict[str, str]:
        if origin not in self._proxies:
            scheme, _, authority = origin.partition("://")
            proxy = proxy_for(scheme, authority)
            self._proxies[origin] = {scheme: proxy} if proxy else {}
        return self._proxies[origin]

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # or each request would read the environment and .netrc
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, _DeadlineAdapter(self._config))
        return session


class _DeadlineAdapter(HTTPAdapter):
    """Pools that obey deadlines, with one TLS context for all their connections."""

    def __init__(self, config: ClientConfig) -> None:
        self._verify = config.verify
        self._context: ssl.SSLContext | None = None
        self._finding_context = threading.Lock()
        super().__init__(pool_maxsize=config.pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=SEND_BLOCK_BYTES, **kwargs)
        use_deadlines(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, blocksize=SEND_BLOCK_BYTES, **kwargs)
        use_deadlines(manager)
        return manager

    def close(self) -> None:
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            close_pools(manager)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if origin_of(request.url or "").startswith("https:"):
            self._tls_context()  # below, what is wrong with the bundle would be taken for a wrong address
        return super().send(request, *args, **kwargs)

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, pool = super().build_connection_pool_key_attributes(*args, **kwargs)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._tls_context()
        return host, pool

    def _tls_context(self) -> ssl.SSLContext:
        with self._finding_context:  # pools are shared only by those of one context
            self._context = self._context or tls_context(self._verify)
        return self._context

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        """Leave it to the context, which would otherwise trust the bundle of `requests` as well."""


def _prepared(request: Request, body: Any, headers: dict[str, str]) -> requests.PreparedRequest:
    if body is None or isinstance(body, bytes):
        return requests.Request(request.method, request.url, request.headers, data=body).prepare()
    prepared = requests.Request(request.method, request.url, request.headers).prepare()
    # Set by hand: what knows how to prepare a file would look for its size, and send it in chunks.
    del prepared.headers["Content-Length"]
    prepared.headers.update(headers)
    prepared.body = body
    return prepared


def _as_transport_error(error: Exception, request: Request) -> TransportError:
    cause = error.args[0] if isinstance(error, requests.RequestException) and error.args else error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, Exception):
        return as_transport_error(cause, request)
    return ConnectError(f"{request!r}: cannot be sent: {cause}")
