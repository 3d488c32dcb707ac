"""Dataclasses of which every request makes some."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, kw_only: bool = False):  # noqa: ANN201, ARG001 - as dataclass has it
        """`dataclass` with what checkers are told of it: that no member is ever set again.

        Where Python itself sees to that, a value takes three times as long to make, which for all those of a
        request was a tenth of its time.
        """
        return dataclass(unsafe_hash=True, kw_only=kw_only)


__all__ = ["value"]
