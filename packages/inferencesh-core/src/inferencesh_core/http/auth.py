"""Ways to sign requests to the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..secret import Secret
    from .messages import Request, Response


class Auth(Protocol):
    """Signs requests, as a generator, so that one implementation serves both worlds.

    Example:
        A token that is refreshed when the server no longer takes it::

            def sign(self, request):
                response = yield request.with_headers({"Authorization": f"Bearer {self.token}"})
                if response.status == 401:
                    answer = yield Request("POST", self.refresh_url, {})
                    self.token = json.loads(answer.body)["token"]
                    yield request.with_headers({"Authorization": f"Bearer {self.token}"})
    """

    def sign(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the requests to send; the response to the last one is the answer.

        It is asked only for requests to the API's own origin.
        """


class BearerAuth:
    """Sends ``Authorization: Bearer <key>``."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def sign(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the request with the key in its header."""
        yield request.with_headers({"Authorization": f"Bearer {self._key.reveal()}"})
