"""How a builder that never changes gives the next one."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

B = TypeVar("B")


def changed(builder: B, **attributes: Any) -> B:
    """Give a copy of a builder with these attributes."""
    new = copy(builder)
    new.__dict__.update(attributes)
    return new
