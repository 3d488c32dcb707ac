"""Sessions over HTTP with real worker processes: what one of them remembers, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inferencesh_core import SessionEndedError, TaskCancelledError, WorkerLostError, inference
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine
from inferencesh_engine.testing.executors import is_running
from serving import Api

APP = """
import os, time
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput

class AppInput(BaseAppInput):
    word: str = ""
    seconds: float = 0

class AppOutput(BaseAppOutput):
    words: list[str]
    pid: int

class App(BaseApp):
    async def setup(self):
        self.words = []

    async def run(self, input_data: AppInput) -> AppOutput:
        time.sleep(input_data.seconds)
        self.words.append(input_data.word)
        return AppOutput(words=self.words, pid=os.getpid())

    async def forget(self, input_data: AppInput) -> AppOutput:
        self.words.clear()
        return AppOutput(words=[], pid=os.getpid())

    async def unload(self):
        with open(os.path.join(os.path.dirname(__file__), "unloaded"), "a") as file:
            file.write(" ".join(self.words) + "\\n")
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apps")
    (folder / "memory").mkdir()
    (folder / "memory" / "inf.yml").write_text("name: memory\nnamespace: test\n")
    (folder / "memory" / "inference.py").write_text(APP)
    engine = BackgroundEngine(EngineConfig(apps_dir=folder, state_dir=tmp_path_factory.mktemp("state")))
    engine.unloaded = folder / "memory" / "unloaded"
    yield engine
    engine.stop()


@pytest.fixture
def client(engine):
    with inference(engine.token, engine.base_url) as client:
        yield client


@pytest.fixture
def api(engine, tmp_path):
    return Api(engine.base_url, engine.token, tmp_path)


def start(api, session="new", **more):
    return api.call("POST", "/apps/run", {"app": "test/memory", "session": session, "input": {}, **more})


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_the_functions_of_an_app_share_the_memory_of_a_session(client):
    with client.session("test/memory", input={"word": "a"}) as session:
        assert session.task["output"]["words"] == ["a"]
        assert session.call("run", {"word": "b"})["output"]["words"] == ["a", "b"]
        session.call("forget")
        assert session.call("run", {"word": "c"})["output"]["words"] == ["c"]


def test_ending_lets_the_app_unload_and_its_process_end(client, engine):
    with client.session("test/memory", input={"word": "to be kept"}) as session:
        pid = session.task["output"]["pid"]
        assert is_running(pid)
    assert not is_running(pid)
    assert "to be kept\n" in engine.unloaded.read_text()
    with pytest.raises(SessionEndedError):
        session.call()


def test_a_session_expires_for_real_and_its_app_unloads(client, engine):
    session = client.session("test/memory", input={"word": "too old"}, session_timeout=1)
    pid = session.task["output"]["pid"]
    until(lambda: session.info()["status"] == "expired")
    until(lambda: not is_running(pid))
    assert "too old\n" in engine.unloaded.read_text()


def test_keepalives_keep_a_session(client):
    session = client.session("test/memory", session_timeout=1)
    for _ in range(5):
        time.sleep(0.4)  # well within the time-out, and longer than it together
        session.keepalive()
    assert session.call()["output"]["words"] == ["", ""]
    session.end()


def test_a_session_whose_process_is_killed_has_lost_its_worker(client):
    session = client.session("test/memory")
    os.kill(session.task["output"]["pid"], signal.SIGKILL)
    until(lambda: session.info()["status"] == "ended")
    began = time.monotonic()
    for asked in (session.call, session.keepalive):
        with pytest.raises(WorkerLostError, match=session.session_id):
            asked()
    assert time.monotonic() - began < 1, "what no second try can mend was tried again"


def test_a_call_in_flight_when_its_session_ends_is_cancelled_and_says_why(client):
    session = client.session("test/memory")
    task = session.call("run", {"seconds": 60}, wait=False)
    until(lambda: client.tasks.get(task["id"])["status"] == 7)
    session.end()
    with pytest.raises(TaskCancelledError, match=f"session {session.session_id} was ended"):
        client.tasks.wait_for_completion(task["id"], timeout=10)


def test_two_processes_may_call_one_session(client, engine):
    session = client.session("test/memory")
    code = (
        "import sys; from inferencesh_core import inference\n"
        "with inference(*sys.argv[1:3]) as client:\n"
        "    for n in range(5):\n"
        "        params = {'app': 'test/memory', 'session': sys.argv[3], 'input': {'word': sys.argv[4]}}\n"
        "        client.run(params)"
    )
    fixed = [sys.executable, "-c", code, engine.token, engine.base_url, session.session_id]
    others = [subprocess.Popen([*fixed, word]) for word in ("left", "right")]
    assert [other.wait(60) for other in others] == [0, 0]
    words = session.call("run", {"word": "last"})["output"]["words"]
    assert sorted(words) == ["", "last", *["left"] * 5, *["right"] * 5]
    session.end()


def test_threads_may_share_a_session(client):
    with client.session("test/memory") as session, ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda n: session.call("run", {"word": str(n)}), range(24)))
        assert {task["output"]["pid"] for task in ended} == {session.task["output"]["pid"]}
        assert sorted(len(task["output"]["words"]) for task in ended) == list(range(2, 26))


def test_the_answers_of_the_routes(api):
    session = start(api).json["session_id"]
    record = api.call("GET", f"/sessions/{session}")
    assert (record.status, record.json["id"]) == (200, session)
    assert session in [each["id"] for each in api.call("GET", "/sessions").json]
    kept = api.call("POST", f"/v1/sessions/{session}/keepalive")
    assert (kept.status, kept.json["status"]) == (200, "active")
    for _ in range(2):
        ended = api.call("DELETE", f"/sessions/{session}")
        assert (ended.status, ended.content) == (204, b"")
        assert "content-type" not in ended.headers
    wrapped = api.call("GET", f"/sessions/{session}", version=None).json
    assert (wrapped["success"], wrapped["data"]["status"]) == (True, "ended")


@pytest.mark.parametrize("timeout", [0, 3601, "5", True])
def test_a_wrong_time_out_is_refused(api, timeout):
    answer = start(api, session_timeout=timeout)
    assert (answer.status, answer.json["field"]) == (422, "session_timeout")


def test_failures_carry_their_code_where_clients_look_for_it(api):
    session = start(api).json["session_id"]
    assert start(api, session, session_timeout=60).status == 422
    unknown = start(api, "sess_nope")
    assert (unknown.status, unknown.json["code"]) == (404, "SESSION_NOT_FOUND")
    assert unknown.json["type"].endswith("/session_not_found")
    assert unknown.json["session_id"] == "sess_nope"
    api.call("DELETE", f"/sessions/{session}")
    over = api.call("POST", f"/sessions/{session}/keepalive", version=None)
    assert (over.status, over.json["code"], over.json["error"]["code"]) == (
        410,
        "SESSION_ENDED",
        "session_ended",
    )
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/keepalive")):
        assert api.call(method, f"/sessions/sess_nope{path}").status == 404


def test_the_example_holds_two_databases_apart(tmp_path):
    examples = Path(__file__).parents[2] / "examples"
    shutil.copytree(examples / "apps", tmp_path / "apps")
    shutil.copy(examples / "sessions.py", tmp_path)
    command = [sys.executable, tmp_path / "sessions.py"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert printed[0] == "Ada's pets: [['Nagini', 0], ['Rex', 4]], in 4 calls"
    assert printed[1] == "Bob's pets: [['Polly', 2]], in 3 calls"
    assert printed[2] == "Ada's tables: {'pets': 2}"
    assert printed[3].startswith("Over: HTTP 410: Session ended: sess_")


def test_many_sessions_of_real_processes_hold_their_own_state(client):
    count = 12

    def live(number):
        barrier.wait()
        with client.session("test/memory", input={"word": f"{number}-0"}) as session:
            barrier.wait()  # all of them at once
            for turn in range(1, 4):
                words = session.call("run", {"word": f"{number}-{turn}"})["output"]["words"]
            return session.task["output"]["pid"], words

    barrier = threading.Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        lives = list(pool.map(live, range(count)))
    assert len({pid for pid, _ in lives}) == count
    assert [words for _, words in lives] == [[f"{n}-{turn}" for turn in range(4)] for n in range(count)]
