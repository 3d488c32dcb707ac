"""Where the API is, which for an engine of one's own may change while a client lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .messages import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .auth import Auth


class Seat:
    """The address of the API, and what signs requests there. Threads may share it.

    Args:
        base_url: The address, without a trailing slash.
        auth: What signs requests, ``None`` for an endpoint without credentials.
        move: Gives the address and signer of whoever answers in place of one that is gone; may take long.
            ``None`` where there is only this one.

    Attributes:
        may_move: Whether it is worth asking `moved`.
    """

    def __init__(
        self, base_url: str, auth: Auth | None, move: Callable[[], tuple[str, Auth | None]] | None = None
    ) -> None:
        self._move = move
        self.may_move = move is not None
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._settle(base_url, auth)

    def here(self, url: str) -> str:
        """Give the URL at the present seat, where it is one of an earlier."""
        if not self._earlier:
            return url
        origin = origin_of(url)
        return self.origin + url[len(origin) :] if origin in self._earlier else url

    def moved(self, url: str) -> str | None:
        """Give where to send what nobody takes at ``url`` any more; ``None`` where there is no other."""
        gone = origin_of(url)
        with self._lock:
            # Another thread may have been here before.
            if self._move is not None and gone == self.origin:
                self._settle(*self._move())
        return self.here(url) if gone in self._earlier else None

    def _settle(self, base_url: str, auth: Auth | None) -> None:
        self.base_url, self.auth, self.origin = base_url, auth, origin_of(base_url)
        self._known.add(self.origin)
        self._earlier = self._known - {self.origin}
