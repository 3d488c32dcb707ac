"""`local:FOLDER` starts the engine of a folder, shares it, joins one that serves, and stops it at the end."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from inferencesh_async import async_inference
from inferencesh_core import inference
from inferencesh_core.errors import ConfigurationError, InferenceError
from inferencesh_core.files import UploadFileOptions
from inferencesh_engine import EngineConfig, EngineStartError
from inferencesh_engine.endpoint import BackgroundEngine, open_local
from inferencesh_engine.presence import Presence, find_presence
from inferencesh_engine.signpost import Signpost, state_elsewhere
from serving import Api, write_apps


@pytest.fixture
def folder(tmp_path):
    return write_apps(tmp_path / "apps")


def alive(base_url):
    with closing(HTTPConnection(urlsplit(base_url).netloc, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
        except OSError:
            return False
        return connection.getresponse().status == 200


@pytest.mark.parametrize("address", ["https://api.inference.sh", "http://localhost:1", "locale:x", ""])
def test_other_addresses_are_not_ours(address):
    assert open_local(address) is None


def test_clients_of_one_folder_share_an_engine_that_stops_with_the_last_of_them(folder, monkeypatch):
    first = open_local(f"local:{folder}")
    monkeypatch.chdir(folder.parent)
    second = open_local("local:apps")
    assert (first.base_url, first.token) == (second.base_url, second.token)
    first.close()
    first.close()
    assert alive(second.base_url)
    assert Api(second.base_url, second.token, folder).call("POST", "/apps/list", {}).status == 200
    second.close()
    assert not alive(second.base_url)
    assert find_presence(folder / ".inferencesh") is None


def test_a_closed_client_says_so_and_starts_no_engine(folder):
    async def asked_late():
        client = async_inference(base_url=f"local:{folder}")
        await client.aclose()
        await client.tasks.get("t1")

    with inference(base_url=f"local:{folder}") as client:
        pass
    with pytest.raises(ConfigurationError, match="this client is closed"):
        client.tasks.get("t1")
    with pytest.raises(ConfigurationError, match="this client is closed"):
        asyncio.run(asked_late())
    assert find_presence(folder / ".inferencesh") is None


def test_an_engine_can_be_started_again_and_remembers_its_tasks(folder):
    first = open_local(f"local:{folder}")
    task_id = Api(first.base_url, first.token, folder).run("echo", {"text": "x"}, wait=True).json["id"]
    first.close()
    second = open_local(f"local:{folder}")
    try:
        assert (
            Api(second.base_url, second.token, folder).call("GET", f"/tasks/{task_id}").json["status"] == 10
        )
    finally:
        second.close()


def test_two_folders_have_two_engines(tmp_path):
    endpoints = [open_local(f"local:{write_apps(tmp_path / name)}") for name in ("one", "two")]
    try:
        assert len({endpoint.base_url for endpoint in endpoints}) == 2
        assert len({endpoint.token for endpoint in endpoints}) == 2
    finally:
        for endpoint in endpoints:
            endpoint.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("local:", "names no folder"),
        ("local:{tmp}/missing", "does not exist"),
        ("local:{tmp}/file", "is a file"),
        ("local:{tmp}/empty", "inf.yml"),
    ],
)
def test_a_folder_that_is_none_is_explained(tmp_path, address, says):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    address = address.format(tmp=tmp_path)
    with pytest.raises(ConfigurationError, match=says) as caught:
        open_local(address)
    assert repr(address) in str(caught.value)


def test_an_engine_that_cannot_start_is_an_error_of_the_sdk(folder):
    (folder / "engine.yml").write_text("settings: {max_workers: none}")
    with pytest.raises(InferenceError, match="max_workers") as caught:
        inference(base_url=f"local:{folder}")
    assert isinstance(caught.value, EngineStartError)
    assert isinstance(caught.value, ConfigurationError)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), EngineStartError)


PROGRAM = """
import sys
from inferencesh_engine.endpoint import open_local
endpoint = open_local("local:" + sys.argv[1])
print(endpoint.base_url, flush=True)
sys.stdin.read()
endpoint.close()
"""


@contextmanager
def other_program(folder):
    """Another process that serves the folder until its input ends."""
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield program, program.stdout.readline().strip()
    finally:
        if program.poll() is None:
            program.communicate(timeout=30)


def test_another_process_joins_the_engine_that_serves_and_leaves_it_running(folder):
    ours = open_local(f"local:{folder}")
    try:
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        other = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=True)
        assert other.stdout.strip() == ours.base_url
        assert alive(ours.base_url)
    finally:
        ours.close()


def test_processes_that_start_at_the_same_moment_share_one_engine(folder):
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        assert len({program.stdout.readline() for program in programs}) == 1
    finally:
        for program in programs:
            program.communicate(timeout=30)
    assert [program.returncode for program in programs] == [0, 0, 0]


def test_a_program_that_forgets_to_close_ends_all_the_same(folder):
    program = PROGRAM.replace("endpoint.close()", "")
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert not alive(done.stdout.strip())


@pytest.mark.parametrize(
    "said",
    [
        json.dumps({"data": {"status": "ok", "instance": "other"}}).encode(),
        b"[1]",
        b'{"data": "ok"}',
        b"null",
        b"[" * 100_000,
        b"hello",
        None,
    ],
    ids=["engine", "list", "text", "null", "deep", "no json", "no http"],
)
def test_the_token_does_not_go_to_a_stranger_on_the_port_of_an_engine_that_died(folder, said):
    seen = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            if said is None:
                self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        stale = Presence(f"http://127.0.0.1:{server.server_port}", os.getpid(), "dead")
        stale.announce(folder / ".inferencesh")
        endpoint = open_local(f"local:{folder}")
        assert endpoint.base_url != stale.url
        endpoint.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert seen
    assert all("Authorization" not in headers for headers in seen)


RUNNING_PROGRAM = """
import sys
from inferencesh_core import inference
client = inference(base_url="local:" + sys.argv[1])
client.tasks.run({"app": "test/unloading", "input": {}})
"""

UNLOADING = """
import os
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput
class AppInput(BaseAppInput):
    pass
class AppOutput(BaseAppOutput):
    pass
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        return AppOutput()
    async def unload(self):
        os.close(os.open("unloaded", os.O_CREAT))
"""


def test_apps_are_unloaded_though_the_program_forgets_to_close(folder):
    app = folder / "unloading"
    app.mkdir()
    (app / "inf.yml").write_text("name: unloading\nnamespace: test\n")
    (app / "inference.py").write_text(UNLOADING)
    command = [sys.executable, "-c", RUNNING_PROGRAM, str(folder)]
    subprocess.run(command, timeout=60, check=True)
    end = time.monotonic() + 5
    while not (app / "unloaded").exists():
        assert time.monotonic() < end, "the app was not unloaded"
        time.sleep(0.02)


def engine_elsewhere(folder):
    return BackgroundEngine(EngineConfig(apps_dir=folder, state_dir=folder.parent / "state"))


def test_an_engine_whose_state_is_elsewhere_is_joined_and_followed_by_one_with_the_same_state(folder):
    served = engine_elsewhere(folder)
    with inference(base_url=f"local:{folder}") as client:
        task_id = client.tasks.run({"app": "test/echo", "input": {"text": "x"}})["id"]
        assert client.context.config.base_url == served.base_url
        served.stop()
        assert client.tasks.get(task_id)["output"]["text"] == "x"
        assert client.context.config.base_url != served.base_url
    assert not (folder / ".inferencesh").exists()


def test_a_signpost_to_an_engine_that_died_is_ignored(folder):
    state = folder.parent / "state"
    Presence("http://127.0.0.1:1", 7, "dead").announce(state)
    Signpost(EngineConfig(apps_dir=folder, state_dir=state)).put_up()
    with closing(open_local(f"local:{folder}")) as endpoint:
        assert alive(endpoint.base_url)
    assert (folder / ".inferencesh" / "engine.db").exists()


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"state": 1}', "[" * 100_000], ids=ascii)
def test_a_damaged_signpost_leads_nowhere(tmp_path, content):
    (tmp_path / "elsewhere.json").write_text(content)
    assert state_elsewhere(tmp_path) is None


def test_a_client_that_joined_goes_on_when_the_engine_ends_in_the_middle_of_its_task(folder):
    gate = folder / "gate"
    with other_program(folder) as (program, base_url), inference(base_url=f"local:{folder}") as client:
        assert client.context.config.base_url == base_url
        steps = []
        for update in client.tasks.run({"app": "test/gated", "input": {"gate": str(gate)}}, stream=True):
            if update["output"] and update["output"]["step"] not in steps:
                steps.append(update["output"]["step"])
            if steps and program.poll() is None:
                program.communicate(timeout=30)
                gate.touch()
        assert (update["status"], update["output"]["step"]) == (10, 2)
        assert client.files.upload(b"content", UploadFileOptions(filename="note.txt"))["size"] == 7
        client.close()
    assert find_presence(folder / ".inferencesh") is None


def test_an_asynchronous_client_goes_on_when_the_engine_it_joined_ends(folder):
    async def inside(program):
        async with async_inference(base_url=f"local:{folder}") as client:
            await client.tasks.run({"app": "test/echo", "input": {"text": "x"}})
            await asyncio.to_thread(program.communicate, timeout=30)
            at_once = [client.tasks.run({"app": "test/echo", "input": {"text": str(n)}}) for n in range(8)]
            return [task["output"]["text"] for task in await asyncio.gather(*at_once)]

    with other_program(folder) as (program, _):
        assert asyncio.run(inside(program)) == [str(number) for number in range(8)]
    assert find_presence(folder / ".inferencesh") is None


SHORT_PROGRAM = """
import sys
from inferencesh_core import inference
for number in range(4):
    with inference(base_url="local:" + sys.argv[1]) as client:
        task = client.tasks.run({"app": "test/echo", "input": {"text": str(number)}})
        assert task["output"]["text"] == str(number), task
"""


def test_short_programs_that_start_and_end_engines_under_each_other_get_what_they_asked_for(folder):
    command = [sys.executable, "-c", SHORT_PROGRAM, str(folder)]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [program.communicate(timeout=120)[1] for program in programs]
    assert errors == [""] * len(programs)


FORKING_PROGRAM = """
import os, sys
from inferencesh_engine.endpoint import open_local
endpoint = open_local("local:" + sys.argv[1])
if os.fork() == 0:
    joined = open_local("local:" + sys.argv[1])
    print(joined.base_url == endpoint.base_url, endpoint.base_url, flush=True)
    sys.stdin.read()
    os._exit(0)
os.read(int(sys.argv[3]), 1)
if sys.argv[2] == "close":
    endpoint.close()
os._exit(0)
"""


@pytest.mark.parametrize("end", ["close", "die"])
def test_a_forked_child_joins_the_engine_and_does_not_keep_its_connections_open(folder, end):
    told, tell = os.pipe()
    program = subprocess.Popen(
        [sys.executable, "-c", FORKING_PROGRAM, str(folder), end, str(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[told],
    )
    try:
        same, base_url = program.stdout.readline().split()
        assert same == "True"
        with closing(HTTPConnection(urlsplit(base_url).netloc, timeout=5)) as kept:
            kept.request("GET", "/health")
            assert kept.getresponse().read()
            os.write(tell, b"x")
            program.wait(timeout=30)
            # The child lives on, waiting for its input to end.
            assert kept.sock.recv(1) == b""
        assert not alive(base_url)
    finally:
        program.communicate(timeout=30)
        os.close(told)
        os.close(tell)
