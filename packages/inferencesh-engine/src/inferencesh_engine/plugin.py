"""What this package adds to clients: base URLs `local:FOLDER`, served by an engine in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.plugins import hookimpl

if TYPE_CHECKING:
    from inferencesh_core.plugins import Endpoint


@hookimpl
def inferencesh_endpoint(base_url: str) -> Endpoint | None:
    """Start or join the engine of the folder a `local:` base URL names; other base URLs are not ours."""
    if not base_url.startswith("local:"):
        return None
    from .endpoint import open_local  # noqa: PLC0415  # brings the whole engine

    return open_local(base_url)
