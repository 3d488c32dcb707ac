"""How an app's methods are called: which parameters they take, what their annotations ask for.

Apps name their parameters as they like, so arguments go by position. What a method takes is read once,
when the app is loaded; a call then only validates and calls.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from .base import BaseApp, BaseAppSetup, Metadata

_NOT_FUNCTIONS = ("setup", "unload", "on_cancel")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class SignatureProblem(Exception):  # noqa: N818 - the loader makes it a LoadError that names the app
    """A method that cannot be called as the framework calls it."""


@dataclass(frozen=True, slots=True)
class AppFunction:
    """A function of an app. `input` and `output` validate and have a schema; untyped ones allow anything."""

    name: str
    description: str
    arity: int
    is_async: bool
    input: TypeAdapter[Any]
    output: TypeAdapter[Any]
    output_type: type

    def arguments(self, value: Any, metadata: Any) -> tuple[Any, ...]:
        """The input and the metadata, as many of them as the function takes."""
        return (value, metadata)[: self.arity]


@dataclass(frozen=True, slots=True)
class AppSetup:
    """How `setup` is called. `model` validates the values; None: they are passed as they came."""

    takes_values: bool
    takes_metadata: bool
    model: type[BaseModel] | None

    def arguments(self, values: Any, metadata: Any) -> tuple[Any, ...]:
        """The setup values and the metadata, those of them that `setup` takes."""
        return (values,) * self.takes_values + (metadata,) * self.takes_metadata


def setup_of(app: type[BaseApp]) -> AppSetup:
    """How the app's `setup` is called: with its setup model, the metadata, both or neither."""
    method = inspect.getattr_static(app, "setup")
    names = _positional(method, "setup", most=2)
    if not names:
        return AppSetup(takes_values=False, takes_metadata=False, model=None)
    model = _setup_model(app, method, names[0])
    if len(names) == 2:
        return AppSetup(takes_values=True, takes_metadata=True, model=model)
    return AppSetup(takes_values=model is not None, takes_metadata=model is None, model=model)


def functions_of(app: type[BaseApp], listed: typing.Mapping[str, str]) -> dict[str, AppFunction]:
    """The app's functions by name; those `listed` in its manifest, with descriptions, need no types."""
    public = {name: method for name, method in _public_methods(app).items() if name not in _NOT_FUNCTIONS}
    if missing := [name for name in listed if name not in public]:
        raise SignatureProblem(
            f"the manifest lists function {missing[0]!r}, but {app.__name__} has no such method"
        )
    wanted = {name: m for name, m in public.items() if name == "run" or name in listed or _is_typed(m)}
    return {name: _function(name, method, listed.get(name, "")) for name, method in wanted.items()}


def _public_methods(app: type[BaseApp]) -> dict[str, Callable[..., Any]]:
    """Methods that the app and its helper classes define, base classes first, in the order of definition."""
    classes = [each for each in reversed(app.__mro__) if issubclass(each, BaseApp) and each is not BaseApp]
    names = dict.fromkeys(name for each in classes for name in vars(each) if not name.startswith("_"))
    attributes = {name: inspect.getattr_static(app, name) for name in names}
    return {name: each for name, each in attributes.items() if inspect.isfunction(each)}


def _function(name: str, method: Callable[..., Any], description: str) -> AppFunction:
    names = _positional(method, name, most=2)
    takes = _annotation(method, names[0]) if names else Any
    gives = _result_type(method)
    return AppFunction(
        name=name,
        description=description or inspect.cleandoc(method.__doc__ or ""),
        arity=len(names),
        is_async=inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method),
        input=TypeAdapter(takes),
        output=TypeAdapter(gives),
        output_type=gives if isinstance(gives, type) else object,
    )


def _is_typed(method: Callable[..., Any]) -> bool:
    names = list(inspect.signature(method).parameters)[1:]
    try:
        return bool(names) and _is_model(_annotation(method, names[0])) and _is_model(_result_type(method))
    except SignatureProblem:
        return False


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _positional(method: Callable[..., Any], name: str, *, most: int) -> list[str]:
    """The parameters to fill by position, `self` aside: never more than `most`."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        raise SignatureProblem(f"{name} takes *arguments; name its parameters")
    names = [each.name for each in parameters if each.kind in _POSITIONAL]
    needed = [each.name for each in parameters if each.default is each.empty and each.kind not in _OPEN_ENDED]
    if unfilled := [each for each in needed if each not in names[:most]]:
        raise SignatureProblem(
            f"{name} needs {unfilled[0]!r}; it is given at most {most} arguments, by position"
        )
    return names[:most]


_OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _setup_model(app: type[BaseApp], method: Callable[..., Any], parameter: str) -> type[BaseModel] | None:
    annotation = _annotation(method, parameter)
    if isinstance(annotation, type) and issubclass(annotation, (BaseAppSetup, Metadata)):
        return annotation if issubclass(annotation, BaseAppSetup) else None
    # 54 of 70 published apps leave the parameter unannotated and name the model by convention.
    convention = getattr(sys.modules.get(app.__module__), "AppSetup", None)
    return convention if parameter != "metadata" and _is_model(convention) else None


def _annotation(method: Callable[..., Any], name: str) -> Any:
    """The evaluated annotation of a parameter or of "return"; `Any` without one.

    One at a time: an annotation nobody needs may name what is imported for type checkers only.
    """
    function = inspect.unwrap(method)
    written = inspect.get_annotations(function).get(name, Any)
    try:
        single = SimpleNamespace(__annotations__={name: written})
        return typing.get_type_hints(single, globalns=function.__globals__, include_extras=True)[name]
    except Exception as error:
        raise SignatureProblem(
            f"annotation {written!r} of {function.__name__} cannot be read: {error}"
        ) from error


def _result_type(method: Callable[..., Any]) -> Any:
    """The type of one output: of what a generator yields, else of what is returned."""
    annotation = _annotation(method, "return")
    origin = get_origin(annotation)
    streams = isinstance(origin, type) and issubclass(origin, (AsyncIterator, Iterator))
    return get_args(annotation)[0] if streams or origin in _ITERABLES else annotation


_ITERABLES = (typing.get_origin(typing.AsyncIterable[Any]), typing.get_origin(typing.Iterable[Any]))
