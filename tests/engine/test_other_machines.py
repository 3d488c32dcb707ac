"""Whoever reaches the engine by another name gets addresses of files that work from there."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from serving import serving

NAME = "engine.lan"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("lan"), host="0.0.0.0", allow_hosts=(NAME,)) as api:
        yield api


@pytest.fixture
def elsewhere(api):
    return {"Host": f"{NAME}:{urlsplit(api.base_url).port}"}


def upload(api, headers, content=b"hello"):
    file = api.call("POST", "/files", {"files": [{"uri": "", "filename": "a.txt"}]}, headers=headers).json[0]
    # The name is in no DNS here: the request goes to this machine and says the name.
    path = urlsplit(file["upload_url"])
    api.call("PUT", f"{path.path}?{path.query}", content, headers={**headers, "Authorization": None})
    return file


def fetched(api, address, headers):
    parts = urlsplit(address)
    return api.call("GET", f"{parts.path}?{parts.query}", headers={**headers, "Authorization": None})


def test_files_have_addresses_with_the_name_that_the_caller_used(api, elsewhere):
    file = upload(api, elsewhere)
    assert urlsplit(file["upload_url"]).netloc == urlsplit(file["uri"]).netloc == elsewhere["Host"]
    assert fetched(api, file["uri"], elsewhere).content == b"hello"
    shown = api.call("GET", f"/files/{file['id']}", headers=elsewhere).json["uri"]
    assert urlsplit(shown).netloc == elsewhere["Host"]


@pytest.mark.parametrize("version", ["2", None])
def test_outputs_of_tasks_have_them_too(api, elsewhere, version):
    uri = upload(api, elsewhere)["uri"]
    body = {"app": "test/upper", "input": {"document": uri}, "wait": True}
    answer = api.call("POST", "/apps/run", body, headers=elsewhere, version=version).json
    task = answer if version else answer["data"]
    assert urlsplit(task["output"]["document"]).netloc == elsewhere["Host"]
    assert fetched(api, task["output"]["document"], elsewhere).content == b"HELLO"


def test_streams_have_them_too(api, elsewhere):
    uri = upload(api, elsewhere)["uri"]
    task = api.call("POST", "/apps/run", {"app": "test/upper", "input": {"document": uri}}).json
    lines = {**elsewhere, "Accept": "application/x-ndjson"}
    with api.opened("GET", f"/tasks/{task['id']}/stream", headers=lines) as stream:
        last = json.loads(stream.read().splitlines()[-1])
    assert urlsplit(last["output"]["document"]).netloc == elsewhere["Host"]
    assert fetched(api, last["output"]["document"], elsewhere).content == b"HELLO"


def test_callers_on_this_machine_get_the_loopback_address(api):
    file = upload(api, {})
    assert file["uri"].startswith(f"{api.base_url}/blobs/")


@pytest.mark.parametrize("host", ["evil.example", f'{NAME}:80"', f"{NAME}:x/y", ""])
def test_a_name_that_is_not_allowed_or_no_name_is_never_written_into_an_answer(api, host):
    answer = api.call("POST", "/files", {"files": [{"uri": "", "filename": "a"}]}, headers={"Host": host})
    assert answer.status == 421 or answer.json[0]["uri"].startswith(f"{api.base_url}/blobs/")
