"""What an operation may ask of the world.

An operation is a generator, a *flow*: it yields effects and receives their results, and it knows
neither sockets nor threads nor event loops. A driver performs the effects: one synchronous driver
and one asyncio driver serve every operation, so nothing is written twice. Three rules keep it so:

- The verb functions at the end of this file hold the only bare ``yield``. They give each effect its
  result type, so ``yield from send(request)`` is a ``Response`` to a type checker.
- Errors of the world (a connection cut, a time-out) are thrown into the flow where it waits, so retry
  and reconnect are plain ``try``/``except``. Interrupts and cancellation never enter a flow.
- A flow never yields inside ``finally``; what has to be asked then is for `afterwards`. The driver owns the
  streams and groups a flow opened and closes them when the flow returns, raises or is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, Union

if TYPE_CHECKING:
    from ..http.messages import Request, Response

R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")


class Effect:
    """Something a flow asks its driver to do."""

    __slots__ = ()


Flow: TypeAlias = Generator[Effect, Any, R]
"""An operation that gives ``R``."""

Feed: TypeAlias = Generator[Union[Effect, "Emit[T]"], Any, R]
"""An operation that hands out values ``T`` on its way to ``R``."""


class Send(Effect):
    """Perform one HTTP exchange and give the whole response."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request = request


class OpenStream(Effect):
    """Perform an HTTP exchange up to the end of the response's header."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request = request


class Read(Effect):
    """Give the next bytes of a stream, ``b""`` at its end."""

    __slots__ = ("stream", "timeout")

    def __init__(self, stream: OpenedStream, timeout: float | None) -> None:
        self.stream = stream
        self.timeout = timeout


class Sink(Protocol):
    """What takes in the bytes of a stream."""

    def room(self) -> tuple[bytearray, int]:
        """Give where to put what comes next: into a buffer, from a place to its end, at least 64 KB."""

    def received(self, count: int) -> None:
        """Take in so many bytes that were put there."""

    def add(self, chunk: bytes, /) -> None:
        """Take in bytes that are elsewhere."""


class Receive(Effect):
    """Put the next bytes of a stream into a sink; give how many, 0 at its end."""

    __slots__ = ("sink", "stream", "timeout")

    def __init__(self, stream: OpenedStream, sink: Sink, timeout: float | None) -> None:
        self.stream = stream
        self.sink = sink
        self.timeout = timeout


class CloseStream(Effect):
    """Close a stream before its end."""

    __slots__ = ("stream",)

    def __init__(self, stream: OpenedStream) -> None:
        self.stream = stream


class Sleep(Effect):
    """Let time pass."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Now(Effect):
    """Read the monotonic clock, in seconds."""

    __slots__ = ()


class Call(Effect):
    """Call something of the user's; what it returns is awaited when it is awaitable."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments


class CallApart(Effect):
    """Call something of the user's where it can be left behind after ``timeout`` seconds."""

    __slots__ = ("arguments", "function", "timeout")

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float | None
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.timeout = timeout


class CallTimeoutError(TimeoutError):
    """What was called apart took too long and was left behind."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it had not ended after {seconds:g} seconds")


class Fork(Effect):
    """Start flows side by side, at most ``limit`` at once; the rest start as earlier ones are joined."""

    __slots__ = ("flows", "limit")

    def __init__(self, flows: Iterable[Flow[Any]], limit: int) -> None:
        self.flows = flows
        self.limit = limit


class Join(Effect):
    """Give the next finished flow of a group, or ``None`` when all have been joined."""

    __slots__ = ("group",)

    def __init__(self, group: Group[Any]) -> None:
        self.group = group


class Afterwards(Effect):
    """Run a flow when the present one is over, however it ended."""

    __slots__ = ("flow",)

    def __init__(self, flow: Flow[None]) -> None:
        self.flow = flow


class Emit(Generic[T]):
    """Hand values to whoever iterates the feed. Not an effect: a plain flow must not emit."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[T]) -> None:
        self.values = values


class OpenedStream:
    """The body of a response still arriving, as its flow sees it."""

    __slots__ = ("body",)

    def __init__(self, body: Any) -> None:
        self.body = body
        """The driver's own handle."""

    @property
    def status(self) -> int:
        """The status of the response."""
        return self.body.status  # type: ignore[no-any-return]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response, their names in lower case."""
        return self.body.headers  # type: ignore[no-any-return]


class Group(Generic[R]):
    """Flows running side by side; its driver's subclass runs them."""

    __slots__ = ()


class Outcome(Generic[R]):
    """How one flow of a group ended: with a value or with an error."""

    __slots__ = ("_value", "error", "index")

    def __init__(self, index: int, value: R | None = None, error: Exception | None = None) -> None:
        self.index = index
        self.error = error
        self._value = value

    @property
    def value(self) -> R:
        """What the flow returned.

        Raises:
            Exception: the flow's own error, when it failed.
        """
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]


def send(request: Request) -> Flow[Response]:
    """Perform one exchange.

    Raises:
        TransportError: there is no response; ``sent`` tells whether the server may have seen the request.
    """
    result: Response = yield Send(request)
    return result


def open_stream(request: Request) -> Flow[OpenedStream]:
    """Open a response whose body is read piece by piece.

    Raises:
        TransportError: there is no response.
    """
    result: OpenedStream = yield OpenStream(request)
    return result


def read(stream: OpenedStream, timeout: float | None = None) -> Flow[bytes]:
    """Give the next bytes, ``b""`` at the end; ``timeout`` in seconds, ``None`` waits for ever.

    Raises:
        ReadTimeoutError: nothing came in time. The stream is of no further use.
        TransportError: the connection broke.
    """
    result: bytes = yield Read(stream, timeout)
    return result


def receive(stream: OpenedStream, sink: Sink, timeout: float | None = None) -> Flow[int]:
    """Put the next bytes into a sink; give how many, 0 at the end. Otherwise as `read`."""
    result: int = yield Receive(stream, sink, timeout)
    return result


def close_stream(stream: OpenedStream) -> Flow[None]:
    """Close a stream and its connection."""
    yield CloseStream(stream)


def sleep(seconds: float) -> Flow[None]:
    """Let ``seconds`` pass."""
    yield Sleep(seconds)


def now() -> Flow[float]:
    """Read the monotonic clock."""
    result: float = yield Now()
    return result


def call(function: Callable[..., Any], *arguments: Any) -> Flow[Any]:
    """Call a function of the user's, sync or async. What it raises is raised here."""
    return (yield Call(function, arguments))


def call_apart(function: Callable[..., Any], *arguments: Any, timeout: float | None = None) -> Flow[Any]:
    """Call a function of the user's so that one that hangs cannot hold the flow up.

    It runs on a thread of its own, also under asyncio, with the caller's context variables; once it takes too
    long its thread is left alone. What it gives is awaited when it is awaitable, on the caller's loop under
    asyncio, and cancelled when that takes too long. ``timeout`` is in seconds; ``None`` waits for ever.

    Raises:
        CallTimeoutError: it took too long.
        Exception: what the function raised; a `RuntimeError` when its coroutine was cancelled from elsewhere.
    """
    return (yield CallApart(function, arguments, None if timeout == inf else timeout))


def afterwards(flow: Flow[None]) -> Flow[None]:
    """Run ``flow`` when this one is over: returned, raised, closed, cancelled or interrupted.

    It is the ``finally`` of a flow that may ask something of the world. What it raises is logged and dropped,
    for how the flow ended matters more; it should keep a short deadline, for the caller waits for it.
    """
    yield Afterwards(flow)


def emit(value: T) -> Generator[Emit[T], Any, None]:
    """Hand ``value`` to whoever iterates the feed."""
    yield Emit((value,))


def emit_all(values: Sequence[T]) -> Generator[Emit[T], Any, None]:
    """Hand over ``values``, one after the other; the feed goes on when the last was taken.

    Each value has to climb through every generator of a feed, so what there is at once goes in one step.
    """
    if values:
        yield Emit(values)


def fork(flows: Iterable[Flow[R]], limit: int) -> Flow[Group[R]]:
    """Start ``flows`` side by side, at most ``limit`` running or waiting to be joined."""
    result: Group[R] = yield Fork(flows, limit)
    return result


def join(group: Group[R]) -> Flow[Outcome[R] | None]:
    """Wait for the next flow of the group to end; ``None`` when none is left."""
    result: Outcome[R] | None = yield Join(group)
    return result


def gather(flows: Iterable[Flow[R]], limit: int) -> Flow[list[R]]:
    """Run ``flows`` side by side and give their results in order.

    Raises:
        Exception: the first error of a flow; the others are then stopped.
    """
    results: dict[int, R] = {}
    group = yield from fork(flows, limit)
    while (outcome := (yield from join(group))) is not None:
        results[outcome.index] = outcome.value
    return [results[index] for index in sorted(results)]


def through(feed: Feed[T, R], take: Callable[[T], Feed[U, Any]]) -> Feed[U, R]:
    """Run a feed and give each value it emits to ``take``, which may ask and emit on its own.

    What ``take`` raises is not thrown into the feed, but ends both.
    """
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            step = feed.send(value) if error is None else feed.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        value, error = None, None
        if isinstance(step, Emit):
            for emitted in step.values:
                yield from take(emitted)
            continue
        try:
            value = yield step
        except Exception as problem:  # noqa: BLE001 - thrown at us for the feed to judge
            error = problem


def result_of(feed: Feed[Any, R]) -> Flow[R]:
    """Run a feed for its result alone; what it emits is dropped."""
    return through(feed, _dropped)  # type: ignore[return-value]  # nothing is left to emit


def _dropped(_value: Any) -> Flow[None]:
    yield from ()
