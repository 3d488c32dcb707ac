"""A client tool: what the model is told of it, and the function of the caller's that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

if TYPE_CHECKING:
    from inferencesh_core.types import AgentTool

ClientToolHandler: TypeAlias = Callable[[dict[str, Any]], Any | Awaitable[Any]]
"""Takes the arguments of a call, checked; what it gives, or what awaiting it gives, is the result."""


class _SchemaAndHandler(TypedDict):
    schema: AgentTool
    handler: ClientToolHandler


class ClientTool(_SchemaAndHandler, total=False):
    """What ``tool(...).handler(fn)`` gives: it goes into ``tools`` as it is, and its ``schema`` does too.

    ``timeout`` is how many seconds the handler may take; the toolbox's own limit when absent or ``None``.
    """

    timeout: float | None


def client_tool(schema: AgentTool, handler: Any, timeout: float | None = None) -> ClientTool:
    """Put a schema and its handler together.

    Raises:
        TypeError: The handler cannot be called, or the tool is not of the type ``client``.
        ValueError: The time-out is not a positive number of seconds.
    """
    name = schema.get("name")
    if not callable(handler):
        raise TypeError(f"tool {name!r}: its handler cannot be called: {handler!r:.100}")
    if schema.get("type") != "client":
        raise TypeError(
            f"tool {name!r}: only a client tool has a handler, not one of type {schema.get('type')!r}"
        )
    if timeout is not None and not timeout > 0:
        raise ValueError(
            f"tool {name!r}: timeout is {timeout!r}; give seconds, more than 0 (math.inf: no limit)"
        )
    return {"schema": schema, "handler": handler, "timeout": timeout}
