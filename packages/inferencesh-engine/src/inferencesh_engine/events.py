"""The event bus: who follows which task, and how far a slow follower may lag behind."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .domain.views import TaskEvent


class Follower:
    """One reader of one task's events. What it does not read in time is skipped, the newest state never."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._waiting: deque[TaskEvent] = deque()
        self._backlog = 0
        self._arrived = asyncio.Event()
        self._closed = False

    def push(self, event: TaskEvent) -> None:
        """Add an event; when too much waits, only this one is left."""
        if self._backlog + event.size > self._max_backlog:
            self._waiting.clear()
            self._backlog = 0
        self._waiting.append(event)
        self._backlog += event.size
        self._arrived.set()

    def close(self) -> None:
        """No more events will come: the engine stops."""
        self._closed = True
        self._arrived.set()

    async def next(self) -> TaskEvent | None:
        """The next event; None when the engine stops."""
        while not self._waiting:
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        event = self._waiting.popleft()
        self._backlog -= event.size
        return event

    def skip_all(self) -> None:
        """Forget what waits: the reader gets it from the store."""
        self._waiting.clear()
        self._backlog = 0


class EventBus:
    """Hands committed events to those who follow their task."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._followers: defaultdict[str, set[Follower]] = defaultdict(set)
        self._closed = False

    def is_followed(self, task_id: str) -> bool:
        """Whether anybody waits for this task's events."""
        return task_id in self._followers

    def publish(self, task_id: str, event: TaskEvent) -> None:
        """Tell all followers of the task."""
        for follower in self._followers.get(task_id, ()):
            follower.push(event)

    @contextmanager
    def following(self, task_id: str) -> Iterator[Follower]:
        """Follow the task from now on, as long as the block lasts."""
        follower = Follower(self._max_backlog)
        if self._closed:
            follower.close()
        self._followers[task_id].add(follower)
        try:
            yield follower
        finally:
            self._followers[task_id].discard(follower)
            if not self._followers[task_id]:
                del self._followers[task_id]

    def close(self) -> None:
        """End everybody's following: the engine stops."""
        self._closed = True
        for followers in self._followers.values():
            for follower in followers:
                follower.close()
