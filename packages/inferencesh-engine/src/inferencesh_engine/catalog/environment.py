"""The environment variables of a worker. Nothing gets in that is not named here or in the app's manifest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .requirements import granted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inferencesh_app.manifest import Manifest

# What programs need to find themselves, their user, their language, the network and the GPUs.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "VIRTUAL_ENV", "XDG_CACHE_HOME"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONWARNINGS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HF_HOME"),
)

_OURS = {"PYTHONUNBUFFERED": "1"}


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
    ours = {"FILE_CACHE_DIR": str(cache_dir), **_OURS}
    environment = _passed_on(engine) | dict(manifest.env) | granted(manifest, secrets) | ours | dict(rules)
    if layer is not None:
        path = [str(layer), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    return environment


def bare_environment(engine: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every worker has, whatever its app."""
    return _passed_on(engine) | _OURS


def installer_environment(engine: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of pip or uv, which run other people's build scripts: their settings, no secrets."""
    settings = {name: value for name, value in engine.items() if name.startswith(("PIP_", "UV_"))}
    return _passed_on(engine) | settings


def _passed_on(engine: Mapping[str, str]) -> dict[str, str]:
    passed_on = {name: engine[name] for name in _PASSED_ON if name in engine}
    if "PYTHONPATH" in passed_on:
        # Relative to where the engine was started: workers have another working directory.
        folders = passed_on["PYTHONPATH"].split(os.pathsep)
        passed_on["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, folders)))
    return passed_on
