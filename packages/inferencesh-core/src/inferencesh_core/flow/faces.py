"""How users hold flows: a face lists the public verbs of a subject once, for both worlds.

    class _TasksFace(Face[Tasks]):
        subject_type = Tasks
        get = operation(Tasks.get)

    class TasksAPI(Sync, _TasksFace): ...
    class AsyncTasksAPI(Async, _TasksFace): ...

`operation` turns a flow function into a method that blocks on a `Sync` face and a coroutine method on an
`Async` one; `iteration` does the same for feeds. Both are real functions with the flow's signature and
docstring. `Sync` and `Async` stand first in the bases: they say what type of driver the face has.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from ..context import ClientContext
    from .driver import SyncDriver
    from .effects import Feed, Flow

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncDriver(Protocol):
    """Performs effects on an event loop."""

    async def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end."""

    def iterate(self, feed: Feed[T, Any]) -> AsyncIterator[T]:
        """Give what a feed emits; closing the iterator closes the feed and its streams."""

    async def close(self) -> None:
        """Close the transport."""


class Client(Protocol):
    """What a face needs of the client it belongs to."""

    @property
    def context(self) -> ClientContext:
        """What the client's subjects share."""

    @property
    def driver(self) -> Any:
        """What runs the client's flows."""


class Face(Generic[S]):
    """The public verbs of a subject.

    A subclass says which in ``subject_type``; the subject is made from the client's context.

    Args:
        client: The client this is a part of.
    """

    subject_type: ClassVar[type[Any]]

    def __init__(self, client: Client) -> None:
        self._client = client
        self._subject: S = self.subject_type(client.context)
        self._driver = client.driver


class Sync:
    """Marks a face whose methods block."""

    _driver: SyncDriver


class Async:
    """Marks a face whose methods are coroutines."""

    _driver: AsyncDriver


class operation(Generic[P, R]):  # noqa: N801 - used like the decorators `property` and `classmethod`
    """A method made of a flow function."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[R]]) -> None:
        self._flow = flow
        self.__doc__ = flow.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        flow = self._flow

        def blocking(face: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return face._driver.run(flow(face._subject, *args, **kwargs))  # type: ignore[no-any-return]  # noqa: SLF001

        async def coroutine(face: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await face._driver.run(flow(face._subject, *args, **kwargs))  # type: ignore[no-any-return]  # noqa: SLF001

        self._blocking = _named(blocking, flow, owner, name)
        self._coroutine = _named(coroutine, flow, owner, name)

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Sync, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: Async, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        function = self._coroutine if issubclass(owner, Async) else self._blocking
        return function if instance is None else function.__get__(instance)


class iteration(Generic[P, T]):  # noqa: N801 - used like the decorators `property` and `classmethod`
    """A method that gives an iterator, made of a feed function."""

    def __init__(self, feed: Callable[Concatenate[Any, P], Feed[T, Any]]) -> None:
        self._feed = feed
        self.__doc__ = feed.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        feed = self._feed

        def iterate(face: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return face._driver.iterate(feed(face._subject, *args, **kwargs))  # noqa: SLF001

        def aiterate(face: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return iterate(face, *args, **kwargs)

        self._iterate = _named(iterate, feed, owner, name)
        self._aiterate = _named(aiterate, feed, owner, name, "AsyncIterator")

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Sync, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Async, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        function = self._aiterate if issubclass(owner, Async) else self._iterate
        return function if instance is None else function.__get__(instance)


def _named(
    function: Any, flow: Callable[..., Any], owner: type, name: str, iterator: str = "Iterator"
) -> Callable[..., Any]:
    """Give ``function`` the flow's documentation and signature, with the return type it really has."""
    functools.update_wrapper(function, flow)
    function.__name__ = name
    function.__qualname__ = f"{owner.__qualname__}.{name}"
    annotation = function.__annotations__.get("return")
    if isinstance(annotation, str) and annotation.startswith(("Flow[", "Feed[")):
        result = _result_of(annotation, iterator)
        function.__annotations__ = {**function.__annotations__, "return": result}
        # Without it, `inspect` looks through the wrapper and shows what the flow returns.
        function.__signature__ = inspect.signature(flow).replace(return_annotation=result)
    return function  # type: ignore[no-any-return]


def _result_of(annotation: str, iterator: str) -> str:
    """Give ``R`` of ``Flow[R]`` and ``Iterator[T]`` of ``Feed[T, R]``."""
    inner = annotation[5:-1]
    if annotation.startswith("Flow["):
        return inner
    depth = 0
    for position, character in enumerate(inner):
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            return f"{iterator}[{inner[:position]}]"
    return f"{iterator}[{inner}]"
