"""The event bus: who follows which task or chat, and how far a slow follower may lag behind."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Event(Protocol):
    """A change that is told to followers: the complete state after it."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The id of what has changed: a newer event about the same makes this one superfluous."""

    @property
    @abstractmethod
    def size(self) -> int:
        """About how many characters it is."""


E = TypeVar("E", bound=Event)


class Follower(Generic[E]):
    """One reader of one topic. What it does not read in time is skipped, the newest of a subject never."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._waiting: deque[E] = deque()
        self._backlog = 0
        self._arrived = asyncio.Event()
        self._closed = False

    def push(self, event: E) -> None:
        """Add an event; when too much waits, only the newest of each subject is left."""
        self._waiting.append(event)
        self._backlog += event.size
        if self._backlog > self._max_backlog:
            self._keep_newest()
        self._arrived.set()

    def close(self) -> None:
        """No more events will come."""
        self._closed = True
        self._arrived.set()

    async def next(self) -> E | None:
        """The next event; None when there will be none."""
        while not self._waiting:
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        event = self._waiting.popleft()
        self._backlog -= event.size
        return event

    def _keep_newest(self) -> None:
        newest = {event.subject: event for event in self._waiting}
        self._waiting = deque(event for event in self._waiting if newest[event.subject] is event)
        self._backlog = sum(event.size for event in self._waiting)

    def skip_all(self) -> None:
        """Forget what waits: the reader gets it from the store."""
        self._waiting.clear()
        self._backlog = 0


class EventBus(Generic[E]):
    """Hands committed events to those who follow a topic: the id of a task, or of a chat."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._followers: defaultdict[str, set[Follower[E]]] = defaultdict(set)
        self._closed = False

    def is_followed(self, topic: str) -> bool:
        """Whether anybody waits for events of this topic."""
        return topic in self._followers

    def publish(self, topic: str, event: E) -> None:
        """Tell all followers of the topic."""
        for follower in self._followers.get(topic, ()):
            follower.push(event)

    @contextmanager
    def following(self, topic: str) -> Iterator[Follower[E]]:
        """Follow the topic from now on, as long as the block lasts."""
        follower: Follower[E] = Follower(self._max_backlog)
        if self._closed:
            follower.close()
        self._followers[topic].add(follower)
        try:
            yield follower
        finally:
            self._followers[topic].discard(follower)
            if not self._followers[topic]:
                del self._followers[topic]

    def end(self, topic: str) -> None:
        """End everybody's following of this topic: there is nothing to tell any more."""
        for follower in self._followers.get(topic, ()):
            follower.close()

    def close(self) -> None:
        """End everybody's following: the engine stops."""
        self._closed = True
        for followers in self._followers.values():
            for follower in followers:
                follower.close()
