"""The environment of processes that the engine starts: of its own, nothing that is not named here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# What programs need to find themselves, their user, their language, the network and the GPUs.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "VIRTUAL_ENV", "XDG_CACHE_HOME"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONWARNINGS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HF_HOME"),
)

OURS = {"PYTHONUNBUFFERED": "1"}
"""What every worker has besides."""


def bare_environment(engine: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every worker has, whatever its app."""
    return passed_on(engine) | OURS


def installer_environment(engine: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of pip or uv, which run other people's build scripts: their settings, no secrets."""
    settings = {name: value for name, value in engine.items() if name.startswith(("PIP_", "UV_"))}
    return passed_on(engine) | settings


def passed_on(engine: Mapping[str, str]) -> dict[str, str]:
    """What programs need of the engine's own environment."""
    passed = {name: engine[name] for name in _PASSED_ON if name in engine}
    if "PYTHONPATH" in passed:
        # Relative to where the engine was started: workers have another working directory.
        folders = passed["PYTHONPATH"].split(os.pathsep)
        passed["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, folders)))
    return passed
