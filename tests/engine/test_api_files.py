"""Files over HTTP: announced, uploaded without the key, read by signed addresses (wire protocol 3)."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from urllib.parse import urlsplit

import pytest

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine
from serving import Api, serving

LIMIT = 3_000_000
LINES = {"Accept": "application/x-ndjson"}
CONTENT = b"0123456789"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("files"), max_file_bytes=LIMIT) as api:
        yield api


def announce(api, **file):
    return api.call("POST", "/files", {"files": [{"uri": "", **file}]}).json[0]


def target(url):
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def put(api, file, content, **headers):
    return api.call("PUT", target(file["upload_url"]), content, headers={"Authorization": None, **headers})


def get(api, file, method="GET", **headers):
    return api.call(method, target(file["uri"]), headers={"Authorization": None, **headers})


@pytest.fixture
def stored(api):
    file = announce(api, filename="cat.png", content_type="image/png", size=10)
    assert put(api, file, CONTENT, **{"Content-Type": "image/png"}).status == 200
    return file


def state_files(api):
    blobs = api.folder / "apps" / ".inferencesh" / "blobs"
    return {path.name for path in blobs.rglob("*") if path.is_file()}


def test_files_are_announced_in_order_and_old_agents_get_their_envelope(api):
    body = {"category": "x", "files": [{"filename": "a"}, {"filename": "b", "size": None, "public": None}]}
    bare = api.call("POST", "/files", body).json
    assert [file["filename"] for file in bare] == ["a", "b"]
    assert all(file["upload_url"].startswith(api.base_url) for file in bare)
    assert api.call("POST", "/files", body, version=None).json["data"][1]["filename"] == "b"


def test_what_was_uploaded_without_a_key_can_be_read_without_a_key(api, stored):
    answer = get(api, stored)
    assert (answer.status, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/png"
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert api.call("GET", f"/files/{stored['id']}").json["size"] == 10


def test_the_size_can_be_asked_without_the_content(api, stored):
    answer = get(api, stored, "HEAD")
    assert (answer.status, answer.headers["content-length"], answer.content) == (200, "10", b"")


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=99-", 416, b""),
    ],
)
def test_a_range_can_be_read(api, stored, wanted, status, content):
    answer = get(api, stored, Range=wanted)
    assert (answer.status, answer.content) == (status, content)


def test_an_address_to_read_does_not_upload_and_the_other_way_round(api, stored):
    assert api.call("PUT", target(stored["uri"]), b"x").status == 403
    assert api.call("GET", target(stored["upload_url"])).status == 403


def test_an_address_without_its_signature_is_refused_even_with_the_token(api, stored):
    assert api.call("GET", urlsplit(stored["uri"]).path).status == 403


def test_a_file_that_was_never_uploaded_is_not_found(api):
    assert get(api, announce(api, filename="x")).status == 404


def test_a_page_among_the_files_cannot_script_the_api(api):
    file = announce(api, filename='ev"il.html', content_type="text/html")
    put(api, file, b"<script>alert(1)</script>")
    headers = get(api, file).headers
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''ev%22il.html"


def test_an_image_is_shown_in_place(api, stored):
    assert get(api, stored).headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("filename", "expected"),
    [("../../etc/passwd", "passwd"), ("a\\b.txt", "b.txt"), ("a\r\nb", "ab"), ("..", "file"), (None, "file")],
)
def test_a_file_name_is_a_name_and_no_path(api, filename, expected):
    assert announce(api, filename=filename)["filename"] == expected


@pytest.mark.parametrize(
    "file", [{"content_type": "a\r\nb: c"}, {"size": -1}, {"size": "1"}, {"filename": 1}], ids=str
)
def test_a_wrong_description_is_refused(api, file):
    assert api.call("POST", "/files", {"files": [file]}).status == 422


@pytest.mark.parametrize("files", [None, {}, ["a"]], ids=str)
def test_a_wrong_list_is_refused(api, files):
    assert api.call("POST", "/files", {"files": files}).status == 400


def test_the_content_type_is_guessed_from_the_name(api):
    assert announce(api, filename="x.webp")["content_type"] == "image/webp"
    assert announce(api, filename="x")["content_type"] == "application/octet-stream"


def test_the_largest_file_is_taken_and_one_byte_more_is_not(api):
    assert put(api, announce(api), bytes(LIMIT)).status == 200
    before = state_files(api)
    assert put(api, announce(api), bytes(LIMIT + 1)).status == 413
    chunks = (bytes(1000_001) for _ in range(3))
    file = announce(api)
    assert api.call("PUT", target(file["upload_url"]), chunks, headers={"Authorization": None}).status == 413
    assert api.call("POST", "/files", {"files": [{"size": LIMIT + 1}]}).status == 413
    assert state_files(api) == before


def cut(api, file, head, sent):
    parts = urlsplit(api.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        request = f"PUT {target(file['upload_url'])} HTTP/1.1\r\nHost: {parts.netloc}\r\n{head}\r\n\r\n"
        connection.sendall(request.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


@pytest.mark.parametrize(
    ("head", "sent"),
    [("Content-Length: 100", b"only this"), ("Transfer-Encoding: chunked", b"9\r\nonly this\r\n")],
    ids=["length", "chunked"],
)
def test_an_upload_that_is_cut_leaves_nothing_and_can_be_repeated(tmp_path, head, sent):
    with serving(tmp_path) as api:
        file, other = announce(api, filename="x.txt"), announce(api)
        cut(api, file, head, sent)
        assert get(api, file).status == 404
        put(api, file, CONTENT)
        assert get(api, file).content == CONTENT
        cut(api, other, head, sent)
    assert state_files(api) == {file["id"]}


def test_a_client_that_waits_for_leave_to_send_is_told_to_go_on(api):
    file = announce(api)
    parts = urlsplit(api.base_url)
    head = f"PUT {target(file['upload_url'])} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 2\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"ok")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_repeated_upload_is_no_error(api, stored):
    assert put(api, stored, CONTENT).status == 200
    assert get(api, stored).content == CONTENT


def test_a_deleted_file_is_gone(api, stored):
    assert api.call("DELETE", f"/files/{stored['id']}").status == 200
    assert get(api, stored).status == 404
    assert api.call("GET", f"/files/{stored['id']}").status == 404
    assert stored["id"] not in state_files(api)


def test_files_are_listed(api, stored):
    page = api.call("POST", "/files/list", {"limit": 1}).json
    assert page["items"][0]["id"] == stored["id"]
    assert page["total_items"] >= 1


def test_the_same_key_and_body_is_one_file(api):
    key = {"Idempotency-Key": "files-1"}
    body = {"files": [{"filename": "a"}, {"filename": "a"}]}
    first = api.call("POST", "/files", body, headers=key)
    again = api.call("POST", "/files", body, headers=key)
    assert [file["id"] for file in first.json] == [file["id"] for file in again.json]
    assert len({file["id"] for file in first.json}) == 2
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert api.call("POST", "/files", {"files": [{"filename": "b"}]}, headers=key).status == 422


FORMS = {
    "uri": lambda file: file["uri"],
    "object": lambda file: {"uri": file["uri"]},
    "record": lambda file: file,
    "reference": lambda file: {key: file[key] for key in ("id", "uri", "filename", "content_type", "size")},
}


@pytest.mark.parametrize("form", FORMS)
def test_an_uploaded_file_reaches_the_app_and_its_result_comes_back_as_an_address(api, form):
    file = announce(api, filename="note.txt", path="texts/note.txt")
    put(api, file, b"shout")
    task = api.run("upper", {"document": FORMS[form](file)}, wait=True).json
    assert task["output"]["given"] == "note.txt"
    result = task["output"]["document"]
    assert result.startswith(f"{api.base_url}/blobs/")
    answer = api.call("GET", target(result), headers={"Authorization": None})
    assert (answer.content, answer.headers["content-type"]) == (b"SHOUT", "text/plain")
    assert 9 in [event["status"] for event in task["events"]]


@pytest.mark.parametrize(
    "given",
    ["/etc/hostname", "file:///etc/hostname", {"path": "/etc/hostname"}, {"uri": "file:/etc/hostname"}],
    ids=str,
)
def test_input_cannot_name_a_file_of_the_engines_machine(api, given):
    answer = api.run("upper", {"document": given}, wait=True)
    assert answer.status == 422
    assert "document" in answer.json["detail"]


def test_a_record_of_a_file_elsewhere_names_none_of_the_engines_machine(api):
    record = {"id": "f1", "uri": "data:text/plain,elsewhere", "path": "/etc/hostname", "rating": "unrated"}
    task = api.run("upper", {"document": record}, wait=True).json
    assert api.call("GET", target(task["output"]["document"])).content == b"ELSEWHERE"
    assert api.run("upper", {"document": {**record, "uri": "file:///etc/hostname"}}).status == 422


@pytest.mark.parametrize(
    "given", ["", {}, "data: foo", "data:text/plain;base64,#", {"uri": "data: foo"}], ids=str
)
def test_what_is_no_file_is_refused_before_there_is_a_task(api, given):
    api.run("upper", {"document": "data:,x"}, wait=True)  # its schema is known from now on
    answer = api.run("upper", {"document": given})
    assert (answer.status, "input.document" in answer.json["detail"]) == (422, True)


def test_a_text_may_say_anything_about_files(api):
    text = "file:///etc/hostname"
    assert api.run("echo", {"text": text}, wait=True).json["output"]["text"] == text


def read(api, address):
    assert address.startswith(f"{api.base_url}/")
    return api.call("GET", target(address), headers={"Authorization": None}).content


def test_files_of_a_task_can_be_read_after_the_engine_moved_and_the_addresses_expired(tmp_path):
    with serving(tmp_path, file_url_seconds=-5) as before:
        file = announce(before, filename="note.txt")
        put(before, file, b"shout")
        ended = before.run("upper", {"document": file["uri"]}, wait=True).json
        assert before.call("GET", target(ended["output"]["document"])).status == 403
    engine = BackgroundEngine(EngineConfig(apps_dir=tmp_path / "apps"))
    try:
        after = Api(engine.base_url, engine.token, tmp_path)
        got = after.call("GET", f"/tasks/{ended['id']}").json
        listed = after.call("POST", "/tasks/list", {}).json["items"][0]
        streamed = after.call("GET", f"/tasks/{ended['id']}/stream?after=1", headers=LINES).content
        for task in (got, listed, json.loads(streamed.splitlines()[-1])):
            assert read(after, task["output"]["document"]) == b"SHOUT"
            assert read(after, task["input"]["document"]) == b"shout"
        again = after.run("upper", {"document": file["uri"]}, wait=True).json
        assert read(after, again["output"]["document"]) == b"SHOUT"
    finally:
        engine.stop()


def test_a_text_that_only_looks_like_an_address_stays_as_it_is(api):
    text = "http://127.0.0.1:9/blobs/x/y.txt?exp=1&sig=a"
    task_id = api.run("echo", {"text": text}, wait=True).json["id"]
    assert api.call("GET", f"/tasks/{task_id}").json["output"]["text"] == text
