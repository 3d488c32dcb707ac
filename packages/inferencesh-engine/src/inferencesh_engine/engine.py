"""The engine as a library object: what the HTTP server, the `local:` endpoint and tests talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from .blobs import Blobs
    from .catalog import Catalog
    from .config import EngineConfig
    from .domain.idempotency import Idempotency
    from .domain.listing import ListQuery, Page
    from .domain.views import RunOutcome, TaskEvent
    from .files import Files
    from .pool import Pool
    from .store import Store


class Engine:
    """Runs apps from a folder as durable tasks.

    Attributes:
        base_url: Where the engine's HTTP API listens; None until a server says so. File URLs begin with it.
    """

    base_url: str | None
    config: EngineConfig
    store: Store
    catalog: Catalog
    blobs: Blobs
    files: Files
    pool: Pool

    def __init__(self, config: EngineConfig, *, plugins: Sequence[object] = ()) -> None: ...

    async def start(self) -> None:
        """Open the store, find the apps, and take up the tasks an earlier engine left unfinished."""

    async def stop(self) -> None:
        """Stop the workers and close the store; unfinished tasks are taken up by the next engine."""

    async def __aenter__(self) -> Engine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def run(self, body: Mapping[str, Any], *, idempotency: Idempotency | None = None) -> RunOutcome: ...

    async def wait(self, task_id: str) -> dict[str, Any]: ...

    async def task(self, task_id: str) -> dict[str, Any]: ...

    async def task_status(self, task_id: str) -> dict[str, Any]: ...

    async def cancel(
        self, task_id: str, *, grace: float | None = None, force: bool = False
    ) -> dict[str, Any]: ...

    async def delete(self, task_id: str) -> None: ...

    async def list_tasks(self, query: ListQuery) -> Page: ...

    async def logs(self, task_id: str) -> dict[str, Any]: ...

    async def timings(self, task_id: str) -> dict[str, Any]: ...

    def subscribe(self, task_id: str, *, after: int | None = None) -> AsyncIterator[TaskEvent]: ...
