"""Parts of a package without the whole: aiohttp's server, for processes that may never call anybody by HTTP.

To import any part of aiohttp is to import its client, which costs a fifth of an engine's start and a tenth of
its memory, certificates of all authorities included. The `__init__` that does so defines nothing that the
server needs: it is a list of names. So it runs when somebody asks for one of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SERVER = ("web_server", "web_request", "web_response")


def load_aiohttp_server() -> None:
    """Load the parts of aiohttp that serve. To those who import aiohttp later, all of it is there.

    For a process that is the engine's own: what a package of others does when it is imported is not ours to
    put off elsewhere.
    """
    load_parts("aiohttp", _SERVER)


def load_parts(name: str, parts: Iterable[str]) -> None:
    """Load these modules of a package, and nothing else before it is asked for.

    Nothing is done when the package is loaded already, or when these parts cannot do without the whole.
    """
    spec = find_spec(name) if name not in sys.modules else None
    if spec is None:
        return
    package = module_from_spec(spec)
    package.__class__ = _Package
    vars(package)["__version__"] = version(name)  # some parts want it
    sys.modules[name] = package
    try:
        for part in parts:
            import_module(f"{name}.{part}")
    except Exception:  # noqa: BLE001 - whatever it is, the usual import does it right or says it better
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]


class _Package(ModuleType):
    """A package whose `__init__` runs when a name is asked for that no module of it has."""

    def __getattr__(self, name: str) -> object:
        module = f"{self.__name__}.{name}"
        if find_spec(module) is not None:
            return import_module(module)
        with _one_at_a_time:
            if self.__name__ not in _begun:
                _begun.add(self.__name__)
                _run_init(self)
                self.__class__ = ModuleType  # type: ignore[assignment]  # modules may change theirs
            return ModuleType.__getattribute__(self, name)


_one_at_a_time = RLock()
_begun: set[str] = set()  # `__init__` itself may ask for names before it has them


def _run_init(package: ModuleType) -> None:
    if package.__spec__ is not None and package.__spec__.loader is not None:
        package.__spec__.loader.exec_module(package)
