"""Names of a package that are loaded when they are first used (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def lazy_names(package: str, homes: dict[str, str]) -> Callable[[str], object]:
    """Give the ``__getattr__`` of a package whose names live elsewhere.

    Args:
        package: The package's ``__name__``.
        homes: Each module, as imported from the package, with the names it holds, separated by spaces.
    """
    home_of = {name: module for module, names in homes.items() for name in names.split()}

    def __getattr__(name: str) -> object:  # noqa: N807 - what the package calls it
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(home_of[name], package), name)
        setattr(modules[package], name, value)
        return value

    return __getattr__
