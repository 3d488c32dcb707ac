"""How an HTTP tool proves who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferencesh_core.types import ToolAuthConfig

_BELONGS_TO = {"integration_id": "integration", "header": "api_key"}


def auth_config(tool: str, **given: str | None) -> ToolAuthConfig | None:
    """Give the ``auth`` of a tool from what was said; ``None`` when nothing was.

    Raises:
        ValueError: Two ways are given, or an argument that belongs to another way.
    """
    said = {option: value for option, value in given.items() if value is not None}
    ways = [option for option in said if option not in _BELONGS_TO]
    if len(ways) > 1:
        raise ValueError(f"tool {tool!r}: auth takes one of {', '.join(ways)}, not {len(ways)} of them")
    for option, way in _BELONGS_TO.items():
        if option in said and way not in said:
            raise ValueError(f"tool {tool!r}: auth takes {option} only together with {way}")
    return _config(said)


def _config(said: dict[str, str]) -> ToolAuthConfig | None:
    if "api_key" in said:
        return {"type": "api_key", "secret": said["api_key"], "header": said.get("header", "X-API-Key")}
    if "bearer" in said:
        return {"type": "bearer", "secret": said["bearer"]}
    if "integration" not in said:
        return None
    config: ToolAuthConfig = {"type": "integration", "provider": said["integration"]}
    if "integration_id" in said:
        config["integration_id"] = said["integration_id"]
    return config
