"""The environment variables of a worker: what all are passed on, and what the app's manifest names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..child_environment import OURS, passed_on
from .requirements import granted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inferencesh_app.manifest import Manifest


def worker_environment(
    manifest: Manifest,
    *,
    secrets: Mapping[str, str],
    cache_dir: Path,
    layer: Path | None,
    rules: Mapping[str, str],
    engine: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The whole environment of an app's worker.

    Args:
        manifest: Its `env` is set, its secrets and integrations are granted.
        secrets: Where their values come from.
        cache_dir: Where downloaded input files are kept.
        layer: The folder with the app's own requirements, first on its path; None without any.
        rules: Variables that say which files and addresses input may name; no app can change them.
        engine: The engine's own environment, of which a few well-known variables are passed on.
    """
    ours = {"FILE_CACHE_DIR": str(cache_dir), **OURS}
    environment = passed_on(engine) | dict(manifest.env) | granted(manifest, secrets) | ours | dict(rules)
    if layer is not None:
        path = [str(layer), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    return environment
