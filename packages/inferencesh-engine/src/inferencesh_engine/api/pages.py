"""Pages of lists that are held in memory: conditions, order and cursors over plain objects."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..domain.listing import Filter, ListQuery, Page, Search
from ..domain.problems import Problem

_MAX_CURSOR_CHARS = 18

Item = Mapping[str, Any]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "like": lambda value, wanted: wanted.strip("%") in value,
    "ilike": lambda value, wanted: wanted.strip("%").lower() in value.lower(),
    "contains": lambda value, wanted: wanted in value,
    "not_contains": lambda value, wanted: wanted not in value,
    "is_null": lambda value, _: value is None,
    "is_not_null": lambda value, _: value is not None,
    "is_empty": lambda value, _: not value,
    "is_not_empty": lambda value, _: bool(value),
}


def page_of(items: Sequence[Item], query: ListQuery, *, searched: Sequence[str]) -> Page:
    """The page of the items that the query asks for; `searched` are the fields free text is looked for in."""
    chosen = [item for item in items if _matches(item, query, searched)]
    for order in reversed(query.sort):
        chosen.sort(key=lambda item, name=order.field: str(item.get(name, "")), reverse=order.descending)  # type: ignore[misc]
    start = _start(query)
    end = start + query.limit
    return Page(
        items=[_projected(item, query.fields) for item in chosen[start:end]],
        next_cursor=str(end) if end < len(chosen) else "",
        prev_cursor=str(start) if start else "",
        items_per_page=query.limit,
        total_items=len(chosen),
    )


def _start(query: ListQuery) -> int:
    if query.page is not None:
        return max(0, query.page - 1) * query.limit
    if not query.cursor:
        return 0
    if not (query.cursor.isdecimal() and len(query.cursor) <= _MAX_CURSOR_CHARS):
        raise Problem(400, "invalid_request", f"cursor {query.cursor!r} is not one this list has given")
    position = int(query.cursor)
    return max(0, position - query.limit) if query.backward else position


def _matches(item: Item, query: ListQuery, searched: Sequence[str]) -> bool:
    found = query.search is None or _mentions(item, query.search, searched)
    return found and all(_holds(item, condition) for condition in query.filters)


def _mentions(item: Item, search: Search, searched: Sequence[str]) -> bool:
    term = search.term.lower()
    texts = [str(item.get(name, "")).lower() for name in search.fields or searched]
    return any(term == text if search.exact else term in text for text in texts)


def _holds(item: Item, condition: Filter) -> bool:
    holds = _OPERATORS.get(condition.operator)
    if holds is None or condition.field not in item:
        what = f"operator {condition.operator!r}" if holds is None else f"field {condition.field!r}"
        raise Problem(400, "invalid_request", f"filters: this list knows no {what}")
    try:
        return bool(holds(item[condition.field], condition.value))
    except (TypeError, AttributeError):
        return False


def _projected(item: Item, fields: Sequence[str]) -> Item:
    return {name: item[name] for name in fields if name in item} if fields else item
