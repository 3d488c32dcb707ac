"""A plain typed function as a tool.

    def weather(city: str, unit: Literal["C", "F"] = "C") -> dict:
        '''Tell the weather of today.'''
        ...

    client.agents.create({"core_app": {...}, "tools": [weather]})

Name, docstring and annotations become the schema; ``Args:`` in the docstring describes the parameters. The
arguments of a call become what the annotations say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .client_tool import client_tool
from .docstrings import parameters_of, summary_of

if TYPE_CHECKING:
    from inferencesh_core.types import AgentTool

    from .client_tool import ClientTool


def function_tool(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    require_approval: bool = False,
) -> ClientTool:
    """Make a tool of a function, sync or async, that is called with keyword arguments.

    Needs pydantic, which reads annotations of every kind: models, dataclasses, ``Literal``, ``X | None``,
    ``Annotated[..., Field(...)]``. A parameter with a default may be left out by the model.

    Args:
        fn: The function; a bare function in ``tools`` is the same without the options below.
        name: The function's own when absent.
        description: The first paragraph of its docstring when absent.
        timeout: Seconds after which a call is given up; 300 when ``None``, no limit when ``math.inf``.
        require_approval: Let a person agree to each call before it runs.

    Raises:
        TypeError: It cannot be called, or a parameter cannot be given by name or has no JSON Schema.
        ValueError: It has no name of its own, as a lambda has none.
        ImportError: pydantic is not installed.
    """
    # It needs pydantic, which an agent without such tools does without.
    from .annotations import Parameters  # noqa: PLC0415

    if isinstance(fn, type) or not callable(fn):
        raise TypeError(f"{fn!r:.100} is no function, so it is no tool")
    name = name or _name_of(fn)
    written = _written(fn)
    parameters = Parameters(name, fn, written)
    schema: AgentTool = {
        "name": name,
        "display_name": name,
        "description": summary_of(written.__doc__) if description is None else description,
        "type": "client",  # type: ignore[typeddict-item]  # on the wire it is a text
        "require_approval": require_approval,
        "client": {"input_schema": parameters.schema(parameters_of(written.__doc__))},
    }

    def handler(arguments: Mapping[str, Any]) -> Any:
        return fn(**parameters.converted(arguments))

    return client_tool(schema, handler, timeout)


def _name_of(fn: Callable[..., Any]) -> str:
    name = getattr(fn.func if isinstance(fn, partial) else fn, "__name__", "")
    if not name.isidentifier():
        raise ValueError(f"{fn!r:.100} has no name of its own: give it one by function_tool(..., name=...)")
    return str(name)


def _written(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Give what carries the docstring and the annotations."""
    if isinstance(fn, partial):
        return _written(fn.func)
    return fn if hasattr(fn, "__name__") else type(fn).__call__
