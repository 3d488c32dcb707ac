"""Requests with an idempotency key: carried out once, and answered again when they are repeated."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from .domain.idempotency import Idempotency, in_progress, mismatch

if TYPE_CHECKING:
    from .config import EngineConfig
    from .store import Store

T = TypeVar("T")


class Once:
    """Knows which requests are being carried out, and by the store which have been."""

    def __init__(self, config: EngineConfig, store: Store) -> None:
        self._config = config
        self._store = store
        self._claims: set[tuple[str, str]] = set()

    async def run(
        self,
        asked: Idempotency | None,
        replay: Callable[[Idempotency, str], T],
        carry_out: Callable[[], Awaitable[T]],
    ) -> T:
        """Carry out a request, or `replay` what an earlier one with its key made, which is given by id.

        Raises Problem 409 while that one is being accepted, and 422 when it asked for something else.
        """
        if asked is None:
            return await carry_out()
        claim = (asked.scope, asked.key)
        if claim in self._claims:
            raise in_progress(asked.key)
        if (made := self._made(asked)) is not None:
            return replay(asked, made)
        self._claims.add(claim)
        try:
            return await carry_out()
        finally:
            self._claims.discard(claim)

    def _made(self, asked: Idempotency) -> str | None:
        since = time.time() - self._config.idempotency_hours * 3600
        found = self._store.find_key(asked, since=since)
        if found is None:
            return None
        fingerprint, made = found
        if fingerprint != asked.fingerprint:
            raise mismatch(asked.key)
        return made
