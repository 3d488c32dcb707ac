"""List requests: `CursorListRequest` bodies read into queries (wire protocol 1.7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..domain.listing import MAX_PAGE_ITEMS, Filter, ListQuery, Search, Sort
from ..domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PAGE_ITEMS = 20
_MAX_PAGE = 10**9


def list_query(body: Mapping[str, Any]) -> ListQuery:
    """The query a body asks for; unknown members are ignored, a known one of a wrong type is a 400."""
    page = _typed(body, "page", int, None)
    if page is not None and not 0 <= page <= _MAX_PAGE:
        raise Problem(400, "invalid_request", f"page must be a number from 1 on, not {page}")
    # Go writes 0 for what is not set.
    limit = _typed(body, "limit", int, None) or DEFAULT_PAGE_ITEMS
    if limit < 0:
        raise Problem(
            400, "invalid_request", f"limit must be a number from 1 to {MAX_PAGE_ITEMS}, not {limit}"
        )
    return ListQuery(
        cursor=_typed(body, "cursor", str, ""),
        limit=min(limit, MAX_PAGE_ITEMS),
        page=page,
        backward=_typed(body, "direction", str, "").lower() in ("prev", "previous", "backward", "back"),
        search=_search(_typed(body, "search", dict, {})),
        filters=[_filter(item) for item in _typed(body, "filters", list, [])],
        sort=[_sort(item) for item in _typed(body, "sort", list, [])],
        fields=[str(name) for name in _typed(body, "fields", list, [])],
    )


def parameter_query(parameters: Mapping[str, str]) -> ListQuery:
    """The query in the parameters of an address; what is no text there is JSON in one."""
    return list_query({name: _parameter(name, text) for name, text in parameters.items()})


def _parameter(name: str, text: str) -> Any:
    if name in ("cursor", "direction"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise Problem(400, "invalid_request", f"{name} must be JSON, not {text!r:.100}") from None


def _search(search: Mapping[str, Any]) -> Search | None:
    term = _typed(search, "term", str, "")
    fields = [str(name) for name in _typed(search, "fields", list, [])]
    return Search(term, fields, exact=_typed(search, "exact", bool, False)) if term else None


def _filter(item: Any) -> Filter:
    condition = _object(item, "filters")
    return Filter(
        _typed(condition, "field", str, ""), _typed(condition, "operator", str, "eq"), condition.get("value")
    )


def _sort(item: Any) -> Sort:
    order = _object(item, "sort")
    direction = _typed(order, "dir", str, "").lower() or "asc"
    if direction not in ("asc", "desc"):
        raise Problem(400, "invalid_request", f"dir of sort must be asc or desc, not {order['dir']!r:.100}")
    return Sort(_typed(order, "field", str, ""), descending=direction == "desc")


def _object(item: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise Problem(400, "invalid_request", f"{name} must hold objects, not {item!r}")
    return item


def _typed(body: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """The member, or the default where it is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Problem(400, "invalid_request", f"{name} must be of type {kind.__name__}, not {value!r}")
    return value
