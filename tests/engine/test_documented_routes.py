"""Every route that the wire protocol documents for tasks, files and sessions answers."""

from __future__ import annotations

import json

import pytest

from serving import serving

# Wire protocol 1.1, 2.1, 3.1, 4.2 and the apps of 5.14. `{file}` is stored, `{task}` has ended.
ROUTES = [
    ("GET", "/openapi.json", None),
    ("POST", "/apps/run", {"app": "test/echo", "input": {}}),
    ("POST", "/run", {"app": "test/echo", "input": {}}),
    ("GET", "/tasks/{task}", None),
    ("GET", "/tasks/{task}/status", None),
    ("GET", "/tasks/{task}/stream", None),
    ("POST", "/tasks/{task}/cancel", None),
    ("POST", "/tasks/list", {}),
    ("GET", "/tasks/featured", None),
    ("GET", "/tasks/{task}/logs", None),
    ("GET", "/tasks/{task}/timings", None),
    ("GET", "/tasks/{task}/telemetry", None),
    ("POST", "/tasks/{task}/visibility", {"visibility": "public"}),
    ("POST", "/tasks/{task}/featured", {"is_featured": True}),
    ("DELETE", "/tasks/{task}", None),
    ("POST", "/files", {"files": [{"uri": "", "filename": "a.txt"}]}),
    ("GET", "/files/{file}", None),
    ("POST", "/files/list", {}),
    ("DELETE", "/files/{file}", None),
    ("GET", "/sessions", None),
    ("GET", "/sessions/{session}", None),
    ("POST", "/sessions/{session}/keepalive", None),
    ("DELETE", "/sessions/{session}", None),
    ("POST", "/apps/list", {}),
    ("GET", "/apps/{app}", None),
    ("GET", "/apps/test/echo", None),
    ("GET", "/apps/{app}/versions/latest", None),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("routes")) as api:
        yield api


def made(api):
    """Ids of a task that has ended, its session, a file, and an app."""
    task = api.run("echo", {}, wait=True, session="new", session_timeout=3600).json
    file = api.call("POST", "/files", {"files": [{"uri": "", "filename": "a.txt"}]}).json[0]
    app = api.call("GET", "/apps/test/echo").json
    return {"task": task["id"], "session": task["session_id"], "file": file["id"], "app": app["id"]}


@pytest.mark.parametrize("version", ["2", None])
def test_every_documented_route_answers_with_success(api, version):
    ids = made(api)
    answers = {}
    for method, path, body in ROUTES:
        answer = api.call(method, path.format(**ids), body, version=version)
        answers[method, path] = answer.status
    assert {route: status for route, status in answers.items() if status not in (200, 204)} == {}


def test_a_task_is_marked_and_found_by_its_marks(api):
    task_id = made(api)["task"]
    assert api.call("GET", f"/tasks/{task_id}").json["visibility"] == "private"
    public = api.call("POST", f"/tasks/{task_id}/visibility", {"visibility": "public"}).json
    assert (public["id"], public["visibility"], public["is_featured"]) == (task_id, "public", False)
    assert api.call("POST", f"/tasks/{task_id}/featured", {"is_featured": True}).json["is_featured"] is True
    found = api.call("GET", "/tasks/featured?limit=1&fields=[%22visibility%22]").json
    assert found["items"] == [{"id": task_id, "visibility": "public"}]
    api.call("POST", f"/tasks/{task_id}/featured", {"is_featured": False})
    listed = api.call("GET", "/tasks/featured").json["items"]
    assert task_id not in [task["id"] for task in listed]


def test_a_running_task_keeps_its_marks_to_its_end(api, tmp_path):
    gate = tmp_path / "gate"
    task_id = api.run("gated", {"gate": str(gate)}).json["id"]
    api.call("POST", f"/tasks/{task_id}/visibility", {"visibility": "unlisted"})
    assert api.call("GET", f"/tasks/{task_id}").json["visibility"] == "unlisted"
    gate.touch()
    with api.opened("GET", f"/tasks/{task_id}/stream", headers={"Accept": "application/x-ndjson"}) as stream:
        last = json.loads(stream.read().splitlines()[-1])
    assert (last["status"], last["visibility"]) == (10, "unlisted")
    assert api.call("GET", f"/tasks/{task_id}").json["visibility"] == "unlisted"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("visibility", {"visibility": "everybody"}),
        ("visibility", {"visibility": ["public"]}),
        ("visibility", {}),
        ("featured", {"is_featured": 1}),
        ("featured", {}),
    ],
)
def test_a_mark_that_does_not_exist_is_refused(api, path, body):
    answer = api.call("POST", f"/tasks/{made(api)['task']}/{path}", body)
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "visibility", {"visibility": "public"}),
        ("POST", "featured", {"is_featured": True}),
        ("GET", "telemetry", None),
    ],
)
def test_an_unknown_task_has_no_marks(api, method, path, body):
    assert api.call(method, f"/tasks/nobody/{path}", body).status == 404


def test_parameters_of_a_list_that_are_no_json_are_refused(api):
    assert api.call("GET", "/tasks/featured?filters=[oops").status == 400
    assert api.call("GET", "/tasks/featured?limit=many").status == 400
