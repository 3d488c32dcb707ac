"""The server refuses strangers, takes only what it can hold, and describes itself."""

from __future__ import annotations

import logging
import socket
import stat
from contextlib import ExitStack
from http.client import IncompleteRead
from urllib.parse import urlsplit

import pytest

from inferencesh_engine.api import Server
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine
from serving import serving

LIMIT = 1000


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server"), max_body_bytes=LIMIT) as api:
        yield api


def test_health_needs_no_token(api):
    answer = api.call("GET", "/health", headers={"Authorization": None})
    assert (answer.status, answer.json["status"]) == (200, "ok")
    assert api.call("HEAD", "/health", headers={"Authorization": None}).content == b""


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tasks/x"), ("POST", "/apps/run"), ("GET", "/nothing"), ("GET", "/openapi.json")],
)
def test_everything_else_does_and_says_where_it_is(api, method, path):
    answer = api.call(method, path, headers={"Authorization": "Bearer wrong"})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    token_file = api.folder / "apps" / ".inferencesh" / "token"
    assert str(token_file) in answer.json["detail"]
    assert token_file.read_text() == api.token


def test_callers_from_elsewhere_are_not_told_where_the_token_lies(tmp_path):
    with serving(tmp_path, host="0.0.0.0") as api:
        detail = api.call("GET", "/tasks/x", headers={"Authorization": None}).json["detail"]
        assert detail == "a token is needed: send the header 'Authorization: Bearer <token>'"


def test_the_state_is_for_its_owner_alone(api):
    state = api.folder / "apps" / ".inferencesh"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("token", "url.key", "engine.json"):
        assert not (state / name).exists() or stat.S_IMODE((state / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
    ids=str,
)
def test_what_a_strangers_page_could_send_is_refused(api, headers, status):
    answer = api.call("POST", "/apps/run", '{"app": "echo"}', headers=headers)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_gets_no_leave_to_call_by_default(api):
    answer = api.call(
        "OPTIONS", "/apps/run", headers={"Origin": "http://localhost:3000", "Authorization": None}
    )
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_one_byte_over_the_limit_is_refused(api, chunked):
    def body(length):
        text = b'{"limit": 1%s}' % (b" " * (length - 12))
        assert len(text) == length
        return iter([text[:5], text[5:]]) if chunked else text

    headers = {"Content-Type": "application/json"}
    assert api.call("POST", "/tasks/list", body(LIMIT), headers=headers).status == 200
    assert api.call("POST", "/tasks/list", body(LIMIT + 1), headers=headers).status == 413


def test_a_path_that_leads_nowhere_and_a_wrong_method_are_told_apart(api):
    assert api.call("GET", "/nothing").status == 404
    answer = api.call("PUT", "/tasks/x")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET")


@pytest.mark.parametrize("path", ["/health", "/tasks/x", "/nothing"])
def test_every_answer_says_that_keys_are_understood_and_is_not_cached(api, path):
    headers = api.call("GET", path).headers
    assert headers["accept-idempotency-key"] == "yes"
    assert headers["cache-control"] == "no-store"


def test_the_openapi_document_has_every_route(api):
    document = api.call("GET", "/openapi.json", version=None).json
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    served = {(route.method.lower(), route.path) for route in Server(None)._router.routes}
    assert described == served
    assert ("post", "/apps/run") in described
    names = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(set(names)) == len(names)


def test_apps_are_listed_found_by_id_and_by_name_and_described(api):
    listed = api.call("POST", "/apps/list", {"search": {"term": "ECHO"}}).json["items"]
    assert [(app["namespace"], app["name"]) for app in listed] == [("test", "echo")]
    by_id = api.call("GET", f"/apps/{listed[0]['id']}").json
    assert by_id == api.call("GET", "/apps/test/echo").json
    version = by_id["version"]
    assert list(version["input_schema"]["properties"]) == ["text"]
    assert version["functions"][version["default_function"]]["input_schema"] == version["input_schema"]
    assert api.call("GET", f"/apps/{by_id['id']}/versions/{by_id['version_id']}").json == version
    assert api.call("GET", f"/apps/{by_id['id']}/versions/nope").status == 404
    assert api.call("GET", "/apps/nope").status == 404


def test_requirements_are_shown_before_they_are_missed(api):
    app = api.call("GET", "/apps/test/needy").json
    assert [secret["key"] for secret in app["version"]["required_secrets"]] == ["NEEDY_KEY"]


def test_neither_the_token_nor_a_signature_is_logged(api, caplog):
    caplog.set_level(logging.DEBUG)
    file = api.call("POST", "/files", {"files": [{"filename": "x"}]}).json[0]
    path = file["upload_url"].removeprefix(api.base_url)
    api.call("PUT", path, b"x")
    api.call("GET", path)
    api.call("GET", "/tasks/x", headers={"Authorization": f"Basic {api.token}"})
    api.run("echo", {}, wait=True)
    assert api.token not in caplog.text
    assert path.partition("sig=")[2] not in caplog.text


def test_an_error_nobody_expected_is_logged_and_not_shown(api, caplog, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("inferencesh_engine.catalog.Catalog.apps", broken)
    answer = api.call("POST", "/apps/list", {})
    assert answer.status == 500
    assert "secret inside" not in answer.content.decode()
    assert "secret inside" in caplog.text


def test_a_body_that_is_cut_is_the_callers_fault_and_nobody_elses(api, caplog):
    parts = urlsplit(api.base_url)
    head = f"POST /apps/run HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {api.token}\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(
            f'{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"app'.encode()
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert api.call("GET", "/health").status == 200
    assert "Traceback" not in caplog.text


def test_stopping_does_not_wait_for_those_who_follow_a_task(tmp_path):
    with ExitStack() as streams:
        with serving(tmp_path) as api:
            task_id = api.run("gated", {"gate": str(tmp_path / "never")}).json["id"]
            stream = streams.enter_context(api.opened("GET", f"/tasks/{task_id}/stream"))
            assert stream.readline()
        with pytest.raises(IncompleteRead):
            stream.read()


def test_a_token_given_is_the_token_and_a_token_kept_is_found_again(tmp_path):
    folder = tmp_path / "apps"
    folder.mkdir()
    tokens = []
    for given in ("mine", None):
        engine = BackgroundEngine(EngineConfig(apps_dir=folder, token=given))
        tokens.append(engine.token)
        engine.stop()
    assert tokens == ["mine", "mine"]
