"""What a list request asks for, and the page it gets (wire protocol 1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_PAGE_ITEMS = 500


@dataclass(frozen=True)
class Filter:
    """One condition on one top-level field; the operators are those of the wire protocol."""

    field: str
    operator: str
    value: Any = None


@dataclass(frozen=True)
class Sort:
    """One field to order by."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class Search:
    """Free text: `term` in any of `fields`; no fields means those the resource is usually searched by."""

    term: str
    fields: Sequence[str] = ()
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """A page to read.

    Attributes:
        cursor: From an earlier page; empty starts at the first item.
        limit: Items on a page, 1..500.
        page: An alternative to the cursor: the page's number, from 1.
        backward: Whether to read the page before the cursor instead of the one after it.
        sort: Fields to order by; empty means newest first.
        fields: Fields to keep in each item; empty keeps all.
    """

    cursor: str = ""
    limit: int = 20
    page: int | None = None
    backward: bool = False
    search: Search | None = None
    filters: Sequence[Filter] = ()
    sort: Sequence[Sort] = ()
    fields: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a list; `to_dto` is what goes over the wire."""

    items: list[Any] = field(default_factory=list)
    next_cursor: str = ""
    prev_cursor: str = ""
    items_per_page: int = 20
    total_items: int = 0

    def to_dto(self) -> dict[str, Any]:
        """The answer's body."""
        return {
            "items": self.items,
            "next_cursor": self.next_cursor,
            "prev_cursor": self.prev_cursor,
            "has_next": bool(self.next_cursor),
            "has_previous": bool(self.prev_cursor),
            "items_per_page": self.items_per_page,
            "total_items": self.total_items,
        }
