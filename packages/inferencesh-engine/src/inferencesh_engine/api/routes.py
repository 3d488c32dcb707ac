"""Finding the handler of a request: a table of routes, and paths in the spellings clients use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from ..domain.problems import Problem

if TYPE_CHECKING:
    from .call import Call

Handler: TypeAlias = Callable[["Call"], Awaitable[Any]]
Parameters: TypeAlias = Mapping[str, str]

_NO_PARAMETERS: Parameters = {}


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    Attributes:
        path: With its parameters in braces: `/tasks/{id}/logs`.
        handler: Gives the resource as a JSON value, as JSON bytes, or a whole response.
        summary: One line for the OpenAPI document.
        open: Whether it answers without a token.
        raw_body: Whether it takes a body that is no JSON.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    open: bool = False
    raw_body: bool = False


class Router:
    """Matches methods and paths; a fixed path wins over one with parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed = {(route.method, route.path): route for route in self.routes if "{" not in route.path}
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        for route in self.routes:
            pattern = route.path.split("/")[1:]
            self._by_length.setdefault(len(pattern), []).append((pattern, route))

    def find(self, method: str, raw_path: str) -> tuple[Route | None, Parameters]:
        """The route and its parameters, decoded; None when nothing answers there."""
        fixed = self._fixed.get((method, raw_path))
        if fixed is not None:
            return fixed, _NO_PARAMETERS
        segments = path_segments(raw_path)
        return self._matched(method, segments) or (None, _NO_PARAMETERS)

    def refusal(self, method: str, raw_path: str) -> Problem:
        """Why nothing was found: 405 when other methods answer there, else 404."""
        segments = path_segments(raw_path)
        others = {route.method for route in self.routes if self._matched(route.method, segments)}
        if others:
            allow = ", ".join(sorted(others))
            return Problem(
                405, "method_not_allowed", f"{method} is not possible here, but {allow}", allow=allow
            )
        detail = f"there is no route {method} /{'/'.join(segments)}; GET /openapi.json lists them"
        return Problem(404, "not_found", detail)

    def _matched(self, method: str, segments: list[str]) -> tuple[Route, Parameters] | None:
        fixed = self._fixed.get((method, "/" + "/".join(segments)))
        if fixed is not None:
            return fixed, _NO_PARAMETERS
        for pattern, route in self._by_length.get(len(segments), ()):
            if route.method == method and (parameters := _parameters(pattern, segments)) is not None:
                return route, parameters
        return None


def path_segments(raw_path: str) -> list[str]:
    """The decoded parts of a path. Empty parts and a leading `v1` mean nothing (wire protocol 1.1)."""
    segments = [unquote(part) for part in raw_path.split("/") if part]
    return segments[1:] if segments[:1] == ["v1"] else segments


def _parameters(pattern: list[str], segments: list[str]) -> Parameters | None:
    parameters = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            parameters[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return parameters
