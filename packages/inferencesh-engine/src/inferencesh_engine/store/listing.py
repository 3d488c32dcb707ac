"""List requests as SQL: filters, search, sorting, and cursors that stay put while rows come and go.

Only names from a listing's own table of columns reach the SQL text; every value is a parameter.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ..domain.listing import MAX_PAGE_ITEMS, Filter, ListQuery, Page, Search, Sort
from ..domain.problems import Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")
_Condition = tuple[str, list[Any]]

_COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TESTS = {
    "is_null": "{0} IS NULL",
    "is_not_null": "{0} IS NOT NULL",
    "is_empty": "COALESCE({0}, '') = ''",
    "is_not_empty": "COALESCE({0}, '') <> ''",
}
_MEMBERSHIPS = {"in": "IN", "not_in": "NOT IN"}
_TEXT_TESTS = {
    "like": "{0} GLOB ?",
    "ilike": "{0} LIKE ?",
    "contains": "INSTR(COALESCE({0}, ''), ?) > 0",
    "not_contains": "INSTR(COALESCE({0}, ''), ?) = 0",
}
OPERATORS = (*_COMPARISONS, *_MEMBERSHIPS, *_TEXT_TESTS, *_TESTS)


@dataclass(frozen=True)
class Listing:
    """A table that can be listed.

    Attributes:
        columns: Field names of the wire and their SQL expressions.
        searched: The fields a search looks at when it names none.
        converted: How values of the wire become values of the table, for fields where they differ; raises
            ValueError for what is none.
    """

    table: str
    columns: Mapping[str, str]
    searched: Sequence[str]
    converted: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def page(
        self, db: sqlite3.Connection, query: ListQuery, columns: str, item: Callable[[tuple[Any, ...]], T]
    ) -> Page:
        """The page that the query asks for; raises Problem 400 naming what it cannot understand."""
        limit = min(max(query.limit, 1), MAX_PAGE_ITEMS)
        order = self._order(query.sort)
        where, values = _all([*map(self._filter, query.filters), *self._search(query.search)])
        (total,) = db.execute(f"SELECT COUNT(*) FROM {self.table} WHERE {where}", values).fetchone()  # noqa: S608
        rows, more = self._rows(db, query, columns, order, (where, values), limit)
        start, end = (bool(query.cursor) or (query.page or 1) > 1), more
        if query.backward:
            rows, start, end = rows[::-1], more, bool(query.cursor)
        keys = [list(row[-len(order) :]) for row in rows]
        return Page(
            items=[item(row[: -len(order)]) for row in rows],
            next_cursor=_cursor(keys[-1]) if rows and end else "",
            prev_cursor=_cursor(keys[0]) if rows and start else "",
            items_per_page=limit,
            total_items=total,
        )

    def _rows(
        self,
        db: sqlite3.Connection,
        query: ListQuery,
        columns: str,
        order: list[tuple[str, bool]],
        condition: _Condition,
        limit: int,
    ) -> tuple[list[tuple[Any, ...]], bool]:
        """The page's rows in reading order, and whether more follow."""
        if query.backward:
            order = [(column, not descending) for column, descending in order]
        where, values = condition
        if query.cursor:
            where, values = _all([condition, _beyond(order, _position(query.cursor, len(order)))])
        keys = ", ".join(column for column, _ in order)
        direction = ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column, descending in order)
        skipped = limit * (max(query.page or 1, 1) - 1) if not query.cursor else 0
        rows = db.execute(
            f"SELECT {columns}, {keys} FROM {self.table} WHERE {where}"  # noqa: S608  # see the module
            f" ORDER BY {direction} LIMIT ? OFFSET ?",
            [*values, limit + 1, skipped],
        ).fetchall()
        return rows[:limit], len(rows) > limit

    def _order(self, sort: Sequence[Sort]) -> list[tuple[str, bool]]:
        """Columns to order by, whether descending, with one that makes the order total."""
        chosen = [(f"COALESCE({self._column(one.field)}, '')", one.descending) for one in sort]
        return [*chosen, ("number", chosen[-1][1] if chosen else True)]

    def _column(self, name: str) -> str:
        try:
            return self.columns[name]
        except KeyError:
            known = ", ".join(sorted(self.columns))
            raise _invalid(f"{self.table} have no field {name!r} to list by; there are {known}") from None

    def _filter(self, wanted: Filter) -> _Condition:
        column, operator = self._column(wanted.field), wanted.operator
        if operator in _TESTS:
            return _TESTS[operator].format(column), []
        if operator in _MEMBERSHIPS:
            values = [self._value(wanted, value) for value in _values(wanted)]
            return f"{column} {_MEMBERSHIPS[operator]} ({', '.join('?' for _ in values)})", values
        if operator in _COMPARISONS:
            return f"{column} {_COMPARISONS[operator]} ?", [self._value(wanted, wanted.value)]
        if operator in _TEXT_TESTS:
            text = str(wanted.value)
            return _TEXT_TESTS[operator].format(column), [_glob(text) if operator == "like" else text]
        raise _invalid(f"unknown filter operator {operator!r}; there are {', '.join(OPERATORS)}")

    def _value(self, wanted: Filter, value: Any) -> Any:
        try:
            value = self.converted.get(wanted.field, lambda same: same)(value)
        except ValueError as error:
            raise _invalid(f"filter {wanted.field} {wanted.operator}: {error}") from error
        if not isinstance(value, (str, int, float)):
            raise _invalid(f"filter {wanted.field} {wanted.operator} needs a text or number, not {value!r}")
        return value

    def _search(self, search: Search | None) -> list[_Condition]:
        if search is None or not search.term:
            return []
        columns = [self._column(name) for name in search.fields or self.searched]
        test = "{0} = ?" if search.exact else "INSTR(LOWER(COALESCE({0}, '')), ?) > 0"
        term = search.term if search.exact else search.term.lower()
        return [(f"({' OR '.join(test.format(column) for column in columns)})", [term] * len(columns))]


def projected(item: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """The fields of an item that a query names, and its id; no names keep all."""
    return {name: item[name] for name in ("id", *names) if name in item} if names else item


def unix_time(value: Any) -> float:
    """RFC 3339 text, or seconds since 1970, as the latter."""
    if isinstance(value, (int, float)):
        return value
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()


def _values(wanted: Filter) -> Sequence[Any]:
    if not isinstance(wanted.value, (list, tuple)):
        raise _invalid(f"filter {wanted.field} {wanted.operator} needs a list, not {wanted.value!r}")
    return wanted.value


def _glob(pattern: str) -> str:
    """A LIKE pattern that minds case: SQLite's own LIKE does not, its GLOB does."""
    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in pattern)
    return escaped.replace("%", "*").replace("_", "?")


def _all(conditions: Sequence[_Condition]) -> _Condition:
    if not conditions:
        return "1", []
    return " AND ".join(text for text, _ in conditions), [
        value for _, values in conditions for value in values
    ]


def _beyond(order: list[tuple[str, bool]], position: list[Any]) -> _Condition:
    """Rows after the position: a later first column, or the same first and a later second, and so on."""
    alternatives: list[_Condition] = []
    for depth, (column, descending) in enumerate(order):
        same = [
            (f"{earlier} = ?", [value]) for (earlier, _), value in zip(order[:depth], position, strict=False)
        ]
        later = (f"{column} {'<' if descending else '>'} ?", [position[depth]])
        alternatives.append(_all([*same, later]))
    text = " OR ".join(f"({alternative})" for alternative, _ in alternatives)
    return f"({text})", [value for _, values in alternatives for value in values]


def _cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _position(cursor: str, length: int) -> list[Any]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if (
        not isinstance(key, list)
        or len(key) != length
        or not all(isinstance(part, (str, int, float)) for part in key)
    ):
        raise _invalid(
            "the cursor is not one of this list; use next_cursor or prev_cursor of an earlier page"
        )
    return key


def _invalid(detail: str) -> Problem:
    return Problem(400, "invalid_request", detail)
