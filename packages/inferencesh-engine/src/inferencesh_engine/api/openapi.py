"""`GET /openapi.json`: the API described, from the same table that routes requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp.web_response import Response

from .envelopes import JSON, to_json
from .health import VERSION
from .routes import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .call import Call


def with_document(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes, and one more that describes them all."""

    async def openapi(_: Call) -> Response:
        return Response(body=body, content_type=JSON)

    everything = (*routes, Route("GET", "/openapi.json", openapi, "This document"))
    body = to_json(document(everything))
    return everything


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "inference.sh engine", "version": VERSION},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
            "parameters": {"X-API-Version": _VERSION_HEADER},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    name = route.path.strip("/").replace("/", "_").replace("{", "").replace("}", "").replace(".", "_")
    return {
        "operationId": f"{route.method.lower()}_{name}",
        "summary": route.summary,
        "parameters": [*_path_parameters(route), {"$ref": "#/components/parameters/X-API-Version"}],
        **({"security": []} if route.open else {}),
        **_request_body(route),
        "responses": {"200": {"description": "Success"}, "default": _FAILURE},
    }


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _request_body(route: Route) -> dict[str, Any]:
    if route.raw_body:
        return {"requestBody": {"content": {"*/*": {}}}}
    if route.method == "POST":
        return {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
    return {}


_FAILURE = {
    "description": "Failure",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; the last segment of `type` is a code for programs",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
_VERSION_HEADER = {
    "name": "X-API-Version",
    "in": "header",
    "description": "`2` for bare bodies and problem documents; without it, bodies come in an envelope",
    "schema": {"type": "string", "enum": ["2"]},
}
