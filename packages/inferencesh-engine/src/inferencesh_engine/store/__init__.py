"""Tasks, their events, idempotency keys and file records in SQLite."""

from .store import Store as Store
