"""Names of a package that are loaded when they are first used (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def lazy_names(package: str, homes: dict[str, str], submodules: str = "") -> Callable[[str], object]:
    """Give the ``__getattr__`` of a package whose names live elsewhere.

    A name whose home is not installed raises `ModuleNotFoundError` with the package to install. It is no
    `AttributeError`, of which ``from package import name`` would show nothing.

    Args:
        package: The package's ``__name__``.
        homes: Each module, as imported from the package, with the names it holds, separated by spaces.
        submodules: Modules of the package that are attributes without being imported, separated by spaces.
    """
    home_of = {name: module for module, names in homes.items() for name in names.split()}
    own = submodules.split()

    def __getattr__(name: str) -> object:  # noqa: N807 - what the package calls it
        if name in own:
            return import_module(f".{name}", package)
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(_home(home_of[name], package, name), name)
        setattr(modules[package], name, value)
        return value

    return __getattr__


def _home(module: str, package: str, name: str) -> ModuleType:
    try:
        return import_module(module, package)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name != root:
            raise
        needed = root.replace("_", "-")
        text = f"{package}.{name} comes with the package {needed}: pip install {needed}"
        raise ModuleNotFoundError(text, name=root) from None
