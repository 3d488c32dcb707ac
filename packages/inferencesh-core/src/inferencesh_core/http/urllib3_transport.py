"""The built-in transport: urllib3, with everything that can be prepared prepared once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.exceptions import HTTPError

from .deadlines import SEND_BLOCK_BYTES, opened_body
from .environment import proxy_for, tls_context
from .messages import origin_of
from .pooling import PooledStream, as_transport_error, close_pools, use_deadlines, whole_response

if TYPE_CHECKING:
    from ..config import ClientConfig
    from .messages import Request, Response


class Urllib3Transport:
    """One pool of connections per origin; the environment is read when an origin is first met."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._pools: dict[str, Any] = {}
        self._process = os.getpid()

    def send(self, request: Request) -> Response:
        """Perform an exchange; see `Transport.send`."""
        return whole_response(self._exchange(request), request, self._config.max_response_bytes)

    def open(self, request: Request) -> PooledStream:
        """Open a response; see `Transport.open`."""
        return PooledStream(self._exchange(request), request)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            close_pools(pool)

    def _exchange(self, request: Request) -> Any:
        body, headers, close_body = opened_body(request)
        try:
            return self._pool(request.url).urlopen(
                request.method,
                request.url,
                body=body,
                headers={**request.headers, **headers},
                timeout=urllib3.Timeout(connect=request.connect_timeout, read=request.read_timeout),
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise as_transport_error(error, request) from error
        finally:
            close_body()

    def _pool(self, url: str) -> Any:
        if self._process != os.getpid():
            # After a fork, sockets belong to the parent: two processes on one connection mix their answers.
            self._pools, self._process = {}, os.getpid()
        origin = origin_of(url)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools.setdefault(origin, self._new_pool(origin))
        return pool

    def _new_pool(self, origin: str) -> urllib3.PoolManager:
        scheme, _, authority = origin.partition("://")
        options: dict[str, Any] = {"maxsize": self._config.pool_size, "blocksize": SEND_BLOCK_BYTES}
        if scheme == "https":
            options["ssl_context"] = tls_context(self._config.verify)
        proxy = proxy_for(scheme, authority)
        manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        use_deadlines(manager)
        return manager
