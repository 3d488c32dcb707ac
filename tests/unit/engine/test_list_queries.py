"""List requests are read as the wire protocol writes them (1.7), and lists in memory answer them."""

from __future__ import annotations

import pytest

from inferencesh_engine.api.lists import list_query
from inferencesh_engine.api.pages import page_of
from inferencesh_engine.domain.listing import MAX_PAGE_ITEMS, Filter, ListQuery, Search, Sort
from inferencesh_engine.domain.problems import Problem

ITEMS = [{"name": name, "size": size} for size, name in enumerate(["pear", "Apple", "fig", "plum"])]


def names(**query):
    return [item["name"] for item in page_of(ITEMS, list_query(query), searched=("name",)).items]


def test_a_query_has_every_member_of_the_wire():
    body = {
        "cursor": "c",
        "limit": 5,
        "page": 2,
        "direction": "prev",
        "search": {"fields": ["name"], "term": "x", "exact": True},
        "filters": [{"field": "name", "operator": "neq", "value": "y"}],
        "sort": [{"field": "name", "dir": "desc"}],
        "fields": ["id"],
        "preloads": ["app"],
        "something_new": 1,
    }
    assert list_query(body) == ListQuery(
        cursor="c",
        limit=5,
        page=2,
        backward=True,
        search=Search("x", ["name"], exact=True),
        filters=[Filter("name", "neq", "y")],
        sort=[Sort("name", descending=True)],
        fields=["id"],
    )


@pytest.mark.parametrize(
    "body", [{}, {"cursor": None, "limit": None, "page": None, "search": None, "filters": None}]
)
def test_nothing_asked_is_the_first_page(body):
    assert list_query(body) == ListQuery(filters=[], sort=[], fields=[])


@pytest.mark.parametrize(("limit", "given"), [(0, 20), (1, 1), (501, MAX_PAGE_ITEMS)])
def test_the_size_of_a_page_is_kept_within_bounds(limit, given):
    assert list_query({"limit": limit}).limit == given


@pytest.mark.parametrize(
    "body",
    [{"limit": "5"}, {"limit": True}, {"filters": {}}, {"filters": [1]}, {"search": "x"}, {"sort": ["name"]}],
    ids=str,
)
def test_a_member_of_a_wrong_type_is_named(body):
    with pytest.raises(Problem, match=next(iter(body))) as caught:
        list_query(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"limit": -1}, "limit must be a number from 1 to 500, not -1"),
        ({"sort": [{"field": "name", "dir": "zz"}]}, "dir of sort must be asc or desc, not 'zz'"),
    ],
    ids=str,
)
def test_a_member_that_says_nothing_we_know_is_named_with_what_we_do(body, told):
    with pytest.raises(Problem, match=told) as caught:
        list_query(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("direction", [None, "", "asc", "ASC"])
def test_lists_ascend_unless_told_otherwise(direction):
    assert list_query({"sort": [{"field": "name", "dir": direction}]}).sort == [Sort("name")]


def test_cursors_lead_through_all_items_and_back():
    first = page_of(ITEMS, list_query({"limit": 3}), searched=())
    assert (len(first.items), first.prev_cursor, first.total_items) == (3, "", 4)
    second = page_of(ITEMS, list_query({"limit": 3, "cursor": first.next_cursor}), searched=())
    assert ([item["name"] for item in second.items], second.next_cursor) == (["plum"], "")
    back = page_of(
        ITEMS, list_query({"limit": 3, "cursor": second.prev_cursor, "direction": "prev"}), searched=()
    )
    assert back.items == first.items


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("eq", "fig", ["fig"]),
        ("neq", "fig", ["pear", "Apple", "plum"]),
        ("in", ["fig", "plum"], ["fig", "plum"]),
        ("not_in", ["fig"], ["pear", "Apple", "plum"]),
        ("like", "%ea%", ["pear"]),
        ("ilike", "%APP%", ["Apple"]),
        ("contains", "l", ["Apple", "plum"]),
        ("not_contains", "l", ["pear", "fig"]),
        ("gt", "fig", ["pear", "plum"]),
        ("lte", 3, []),
        ("is_null", None, []),
        ("is_not_empty", None, ["pear", "Apple", "fig", "plum"]),
    ],
)
def test_filters_hold(operator, value, expected):
    assert names(filters=[{"field": "name", "operator": operator, "value": value}]) == expected


@pytest.mark.parametrize(
    "condition", [{"field": "name", "operator": "near"}, {"field": "colour", "operator": "eq"}]
)
def test_an_unknown_condition_is_named(condition):
    with pytest.raises(Problem, match=r"'near'|'colour'"):
        names(filters=[condition])


def test_free_text_order_and_fields():
    assert names(search={"term": "APP"}) == ["Apple"]
    assert names(search={"term": "app", "exact": True}) == []
    assert names(sort=[{"field": "name", "dir": "desc"}]) == ["plum", "pear", "fig", "Apple"]
    assert page_of(ITEMS, list_query({"fields": ["size"], "limit": 1}), searched=()).items == [{"size": 0}]


def test_a_made_up_cursor_is_refused():
    with pytest.raises(Problem, match="cursor"):
        names(cursor="-1")
