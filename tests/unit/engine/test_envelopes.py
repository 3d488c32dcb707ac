"""Bodies have the shape that each published client accepts (wire protocol 1.3 and 1.4)."""

from __future__ import annotations

import json

import pytest

from inferencesh_engine.api.envelopes import failure, success, to_json
from inferencesh_engine.domain.problems import Problem

NOT_FOUND = Problem(404, "not_found", "no task with id x")
MISSING = Problem(
    412,
    "requirements_not_met",
    "secret A is not set",
    satisfied=False,
    errors=[
        {"type": "secret", "key": "A", "message": "secret A is not set", "action": {"type": "add_secret"}}
    ],
)


@pytest.mark.parametrize("resource", [{"id": "t"}, [1, 2], None, "text", {"data": 1}], ids=str)
def test_a_bare_success_is_the_resource_itself(resource):
    assert json.loads(success(to_json(resource), bare=True)) == resource


@pytest.mark.parametrize("resource", [{"id": "t"}, [1, 2], None, {"data": 1}], ids=str)
def test_an_enveloped_success_serves_old_and_new_clients(resource):
    body = json.loads(success(to_json(resource), bare=False))
    assert body == {"success": True, "status": 200, "data": resource, "messages": []}


def test_a_bare_failure_is_a_problem_document():
    content_type, body = failure(NOT_FOUND, bare=True)
    assert content_type == "application/problem+json"
    assert json.loads(body) == {
        "type": "https://api.inference.sh/errors/not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "no task with id x",
    }


def test_an_enveloped_failure_merges_the_old_shape_and_the_problem_and_is_plain_json():
    content_type, body = failure(NOT_FOUND, bare=False)
    assert content_type == "application/json"
    assert json.loads(body) == {
        "success": False,
        "status": 404,
        "error": {"code": "not_found", "message": "no task with id x"},
        "type": "https://api.inference.sh/errors/not_found",
        "title": "Not Found",
        "detail": "no task with id x",
    }


@pytest.mark.parametrize("bare", [True, False])
def test_unmet_requirements_are_never_wrapped(bare):
    content_type, body = failure(MISSING, bare=bare)
    assert content_type == "application/json"
    assert json.loads(body) == {
        "satisfied": False,
        "errors": MISSING.extra["errors"],
        "error": {"code": "requirements_not_met", "message": "secret A is not set"},
    }


def test_further_members_travel_with_the_problem_but_cannot_change_it():
    _, body = failure(Problem(422, "task_failed", "boom", task={"id": "t"}, status_text="x"), bare=True)
    assert json.loads(body)["task"] == {"id": "t"}
    assert json.loads(body)["status"] == 422
