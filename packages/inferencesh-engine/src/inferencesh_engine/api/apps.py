"""Apps: what can be run here, and what it takes and gives (wire protocol 5.14)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..domain.jobs import Description, FunctionDescription, LoadFailure
from ..domain.ownership import owned
from ..domain.views import short_id
from .lists import list_query
from .pages import page_of
from .routes import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import App
    from .call import Call


async def search(call: Call) -> Any:
    """A page of apps, without their schemas: finding those out loads an app."""
    query = list_query(await call.json_object())
    items = [_app_dto(app, None) for app in call.engine.catalog.apps()]
    return page_of(items, query, searched=("namespace", "name", "description")).to_dto()


async def get(call: Call) -> Any:
    """An app by its id."""
    return await _described(call, call.engine.catalog.by_id(app_id=call.parameters["id"]))


async def get_by_name(call: Call) -> Any:
    """An app by its namespace and name."""
    reference = f"{call.parameters['namespace']}/{call.parameters['name']}"
    return await _described(call, call.engine.catalog.resolve(reference).app)


async def get_version(call: Call) -> Any:
    """A version of an app; an engine has the one in the folder."""
    version = call.parameters["version"]
    wanted = None if version == "latest" else version
    app = call.engine.catalog.by_id(app_id=call.parameters["id"], version_id=wanted)
    return _version_dto(app, await call.engine.pool.describe(app))


async def _described(call: Call, app: App) -> dict[str, Any]:
    return _app_dto(app, _version_dto(app, await call.engine.pool.describe(app)))


def _app_dto(app: App, version: Mapping[str, Any] | None) -> dict[str, Any]:
    manifest = app.manifest
    return {
        "id": app.app_id,
        "short_id": short_id(app.app_id),
        "deleted_at": None,
        **owned(),
        "namespace": app.namespace,
        "name": app.name,
        "description": manifest.description,
        "agent_description": "",
        "category": manifest.category,
        "images": asdict(manifest.images),
        "version_id": app.version_id,
        "version": version,
    }


def _version_dto(app: App, described: Description | LoadFailure) -> dict[str, Any]:
    """The version; an app that cannot be loaded has no functions, and `load_error` says why."""
    manifest = app.manifest
    return {
        "id": app.version_id,
        "short_id": short_id(app.version_id),
        "metadata": dict(manifest.metadata),
        "env": dict(manifest.env),
        "kernel": "-".join(filter(None, (manifest.kernel.language, manifest.kernel.version))),
        "required_secrets": [asdict(secret) for secret in manifest.secrets],
        "required_integrations": [asdict(integration) for integration in manifest.integrations],
        "resources": _resources(app),
        "checksum": app.version_id,
        **_interface(described),
    }


def _resources(app: App) -> dict[str, Any]:
    gpu = app.manifest.resources.gpu
    return {
        "gpu": {"count": gpu.count, "vram": gpu.vram_bytes, "type": gpu.type},
        "ram": app.manifest.resources.ram_bytes,
    }


def _interface(described: Description | LoadFailure) -> dict[str, Any]:
    if isinstance(described, LoadFailure):
        return {"functions": {}, "load_error": described.error}
    default = described.functions.get(
        described.default_function, FunctionDescription(described.default_function)
    )
    return {
        "functions": {name: asdict(function) for name, function in described.functions.items()},
        "default_function": described.default_function,
        "setup_schema": described.setup_schema,
        "input_schema": default.input_schema,
        "output_schema": default.output_schema,
    }


ROUTES = (
    Route("POST", "/apps/list", search, "List the apps"),
    Route("GET", "/apps/{id}", get, "Get an app and its schemas by id"),
    Route("GET", "/apps/{namespace}/{name}", get_by_name, "Get an app and its schemas by name"),
    Route("GET", "/apps/{id}/versions/{version}", get_version, "Get a version of an app"),
)
