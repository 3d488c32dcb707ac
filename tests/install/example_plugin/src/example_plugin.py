"""A transport and an auth, made of what is public and found by an entry point."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inferencesh_core.http.messages import Request, Response
from inferencesh_core.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Generator

    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.transport import ResponseStream


class Loopback:
    """Answers every request with what was asked; refuses the first token it sees."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._refused: set[str] = set()

    def send(self, request: Request) -> Response:
        """Answer; a token is good from its second number on."""
        token = request.headers.get("Authorization", "")
        if request.url.endswith("/token"):
            return Response(200, {}, b'{"token": "token-2"}')
        if token.endswith("token-1"):
            return Response(401, {}, b'{"detail": "stale"}')
        task = {"id": request.url.rpartition("/")[2], "status": 10, "output": {"signed_with": token}}
        return Response(200, {"content-type": "application/json"}, json.dumps(task).encode())

    def open(self, request: Request) -> ResponseStream:
        """Streams are beyond this example."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class Refreshing:
    """Fetches another token when the server no longer takes the present one."""

    def __init__(self, config: ClientConfig) -> None:
        self._refresh_url = f"{config.base_url}/token"
        self._token = "token-1"

    def sign(self, request: Request) -> Generator[Request, Response, None]:
        """Sign, and once more with a new token where the answer is 401."""
        response = yield request.with_headers({"Authorization": f"Example {self._token}"})
        if response.status == 401:
            answer = yield Request("POST", self._refresh_url, {})
            self._token = json.loads(answer.body)["token"]
            yield request.with_headers({"Authorization": f"Example {self._token}"})


@hookimpl
def inferencesh_transport(config: ClientConfig) -> Loopback:
    """Give a transport that needs no network."""
    return Loopback(config)


@hookimpl
def inferencesh_auth(config: ClientConfig) -> Refreshing:
    """Sign with a token of our own."""
    return Refreshing(config)
