"""What callers send to reach files and addresses that are not theirs, or to trip the engine."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from serving import serving

SECRET = "what only the engine's user may read"

READER = """
from dataclasses import dataclass
from typing import Annotated, Any, Optional, Union
from pydantic import ConfigDict, Field, Json, StringConstraints, field_validator
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup, File
from pathlib import Path

@dataclass
class Pair:
    file: File

class Node(BaseAppInput):
    child: Optional["Node"] = None
    file: Optional[File] = None
    files: list[File] = []

class Peeked(BaseAppInput):
    file: File
    @field_validator("file")
    @classmethod
    def peek(cls, file):
        raise ValueError(Path(file.path).read_text())

class AppInput(Node):
    peeked: Optional[Json[Peeked]] = None
    model_config = ConfigDict(populate_by_name=True)
    named: dict[Annotated[str, StringConstraints(pattern="^a")], File] = {}
    text_too: Union[File, str, None] = None
    renamed: Optional[File] = Field(default=None, alias="document")
    in_text: Optional[Json[Node]] = None
    pair: Optional[Pair] = None
    own: File = File(str(Path(__file__).parent / "own.txt"))

class AppSetup(BaseAppSetup):
    weights: Optional[File] = None

class AppOutput(BaseAppOutput):
    seen: str

class App(BaseApp):
    async def setup(self, config: AppSetup):
        self.weights = config.weights
    async def run(self, input_data: AppInput) -> AppOutput:
        files = [input_data.file, input_data.own, *input_data.files, self.weights]
        return AppOutput(seen="".join(Path(file.path).read_text() for file in files if file))
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    with serving(root) as api:
        folder = root / "apps" / "reader"
        folder.mkdir()
        (folder / "inf.yml").write_text("name: reader\nnamespace: test\n")
        (folder / "inference.py").write_text(READER)
        (folder / "own.txt").write_text("mine")
        yield api


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "secret.txt"
    path.write_text(SECRET)
    return str(path)


def nested(depth, leaf):
    for _ in range(depth):
        leaf = {"child": leaf}
    return leaf


WAYS = {
    "path": lambda path: {"file": path},
    "relative": lambda path: {"file": os.path.relpath(path)},
    "home": lambda path: {"file": f"~/{os.path.relpath(path, Path.home())}"},
    "file uri": lambda path: {"file": f"FILE://{path}"},
    "object": lambda path: {"file": {"path": path}},
    "object with an address": lambda path: {"file": {"uri": "https://example.com/x", "path": path}},
    "object with a path as address": lambda path: {"file": {"uri": path}},
    "in a list": lambda path: {"files": ["data:,x", path]},
    "in a nested model": lambda path: nested(3, {"file": path}),
    "under a key": lambda path: {"named": {"a": path}},
    "where text is right too": lambda path: {"text_too": path},
    "by the field's other name": lambda path: {"renamed": path},
    "as json in a text": lambda path: {"in_text": json.dumps({"file": path})},
    "to the app's own validator": lambda path: {"peeked": json.dumps({"file": path})},
    "in a dataclass": lambda path: {"pair": {"file": path}},
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_writing_it_names_a_file_of_the_engines_machine(api, secret, way):
    answer = api.run("reader", WAYS[way](secret), wait=True)
    assert answer.status == 422
    assert SECRET not in answer.content.decode()
    named = next(iter(WAYS[way](secret)))
    assert named in answer.json["detail"]


def test_nor_does_a_setup_value(api, secret):
    answer = api.run("reader", {}, setup={"weights": secret}, wait=True)
    assert answer.status == 422
    assert "setup.weights" in answer.json["detail"]


def test_nor_does_input_that_comes_before_the_app_has_said_what_it_takes(tmp_path, secret):
    with serving(tmp_path, describe_wait_seconds=0) as api:
        answer = api.run("upper", {"document": secret}, wait=True)
    assert answer.status == 422
    assert "document: it names a file on the engine's machine" in answer.json["detail"]


def test_a_file_that_the_app_itself_gives_as_default_is_read(api):
    assert (
        api.run("reader", {"file": "data:,and%20yours"}, wait=True).json["output"]["seen"] == "and yoursmine"
    )


@contextmanager
def neighbour():
    """Another server of this machine, and what was asked of it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_addresses_inside_are_not_fetched_but_the_engines_own_are(api):
    with neighbour() as (url, asked):
        refused = api.run("reader", {"file": f"{url}/x"}, wait=True)
    assert refused.status == 422
    assert "loopback" in refused.json["detail"]
    assert asked == []
    own = api.run("reader", {"file": f"{api.base_url}/health"}, wait=True)
    assert '"status":"ok"' in own.json["output"]["seen"].replace(" ", "")


def test_a_metadata_service_is_not_asked(api):
    refused = api.run("reader", {"file": "http://169.254.169.254/latest/meta-data"}, wait=True)
    assert "metadata service" in refused.json["detail"]


def test_private_addresses_can_be_allowed(tmp_path):
    with neighbour() as (url, asked), serving(tmp_path, allow_private_addresses=True) as api:
        assert api.run("upper", {"document": f"{url}/note.txt"}, wait=True).status == 200
    assert asked == ["/note.txt"]


@pytest.mark.parametrize("setup", [[1], "x", 5, True], ids=str)
def test_setup_that_is_no_object_is_refused(api, setup):
    answer = api.run("echo", {"text": "x"}, setup=setup)
    assert (answer.status, answer.json["field"]) == (422, "setup")
    assert repr(setup) in answer.json["detail"]


@pytest.mark.parametrize("depth", [205, 900])
def test_input_of_endless_depth_is_refused_in_words(api, depth):
    answer = api.run("reader", nested(depth, {"file": "data:,x"}))
    assert answer.status == 422
    assert "nested too deeply" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apps/run", {"app": "test/echo", "input": {"text": "\ud800"}}),
        ("/apps/run", {"app": "test/echo", "input": {"text": float("inf")}}),
        ("/apps/run", {"app": "test/echo", "input": {}, "run_at": "0001-01-01T00:00:00+23:59"}),
        ("/tasks/list", {"search": {"term": "\udfff"}}),
        ("/tasks/list", {"page": 10**30}),
        ("/apps/list", {"cursor": "9" * 5000}),
        ("/files", {"files": [{"path": "\ud800"}]}),
        ("/files", {"files": [{"size": 10**30}]}),
    ],
    ids=lambda value: str(value)[:50],
)
def test_values_that_no_store_can_hold_are_the_callers_fault(api, path, body):
    answer = api.call("POST", path, body)
    assert 400 <= answer.status < 500
    assert answer.json["detail"]


def test_times_have_any_number_of_decimals(api):
    task = api.run("echo", {}, run_at="2020-03-01T09:00:00.1Z").json
    assert task["run_at"] == "2020-03-01T09:00:00.100000Z"
