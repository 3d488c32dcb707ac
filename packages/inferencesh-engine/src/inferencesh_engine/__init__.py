"""The inference.sh HTTP API on your own machine, running the same apps.

>>> from inferencesh_engine import Engine, EngineConfig

Names are imported when first used: clients load this package's plugin, and most of them start no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import EngineConfig as EngineConfig
    from .domain.problems import EngineStartError as EngineStartError
    from .domain.problems import Problem as Problem
    from .engine import Engine as Engine
else:
    _HOME = {
        "Engine": "engine",
        "EngineConfig": "config",
        "EngineStartError": "domain.problems",
        "Problem": "domain.problems",
    }

    def __getattr__(name):  # noqa: ANN001, ANN202  # hidden from checkers
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  # see above

        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


__all__ = ["Engine", "EngineConfig", "EngineStartError", "Problem"]
