"""What errors say about references that mean nothing: what there is, and what may have been meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_NAMED = 20
_MAX_CLOSE = 3


def what_exists(kind: str, refs: Sequence[str]) -> str:
    """The references there are; `kind` is what they mean, in the plural."""
    if not refs:
        return f"there are no {kind} here"
    more = f" and {len(refs) - _MAX_NAMED} more" if len(refs) > _MAX_NAMED else ""
    return f"there are {', '.join(refs[:_MAX_NAMED])}{more}"


def did_you_mean(name: str, refs: Sequence[str]) -> str:
    """A question that names the references whose last part is close to a name; empty when none is."""
    last_parts = {ref.rpartition("/")[2] for ref in refs}
    names = difflib.get_close_matches(name, sorted(last_parts), n=_MAX_CLOSE)
    close = [ref for name in names for ref in refs if ref.rpartition("/")[2] == name]
    return f" Did you mean {' or '.join(close)}?" if close else ""
