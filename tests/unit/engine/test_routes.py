"""Paths find their handlers in every spelling that clients use."""

from __future__ import annotations

import pytest

from inferencesh_engine.api.routes import Route, Router


async def nothing(call):
    return None


RUN = Route("POST", "/apps/run", nothing, "run")
LIST = Route("POST", "/apps/list", nothing, "list")
APP = Route("GET", "/apps/{id}", nothing, "app")
NAMED = Route("GET", "/apps/{namespace}/{name}", nothing, "named")
LOGS = Route("GET", "/tasks/{id}/logs", nothing, "logs")
ROUTER = Router([RUN, LIST, APP, NAMED, LOGS])


@pytest.mark.parametrize("path", ["/apps/run", "//apps/run", "/v1/apps/run", "//v1//apps/run", "/apps/run/"])
def test_slashes_and_the_version_prefix_do_not_matter(path):
    assert ROUTER.find("POST", path) == (RUN, {})


@pytest.mark.parametrize(
    ("path", "route", "parameters"),
    [
        ("/apps/a1", APP, {"id": "a1"}),
        ("/apps/acme/up%20scale", NAMED, {"namespace": "acme", "name": "up scale"}),
        ("/v1/tasks/t%2F1/logs", LOGS, {"id": "t/1"}),
    ],
)
def test_parameters_are_taken_from_the_path_and_decoded(path, route, parameters):
    assert ROUTER.find("GET", path) == (route, parameters)


def test_a_path_that_leads_nowhere_is_not_found():
    assert ROUTER.find("GET", "/nothing") == (None, {})
    refusal = ROUTER.refusal("GET", "/nothing")
    assert refusal.status == 404
    assert "GET /nothing" in refusal.detail


def test_a_wrong_method_is_told_which_ones_are_right():
    assert ROUTER.find("GET", "/tasks/t/logs/x") == (None, {})
    assert ROUTER.find("DELETE", "/apps/run") == (None, {})
    refusal = ROUTER.refusal("DELETE", "/apps/run")
    assert refusal.status == 405
    assert refusal.extra["allow"] == "GET, POST"
