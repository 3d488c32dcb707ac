"""An endpoint that is gone is followed by another: what arrived is not sent twice, and nothing is lost."""

from __future__ import annotations

import pytest

from inferencesh_core.errors import ConfigurationError, ConnectError, UploadError
from inferencesh_core.files import UploadFileOptions
from inferencesh_core.plugins import Endpoint, hookimpl
from inferencesh_core.testing.replies import answer, cut, refused, stream
from inferencesh_core.testing.world import World

DONE = {"id": "t1", "status": 10, "output": {"x": 1}}


class Local:
    """A plugin whose endpoints follow one another; the last has no other after it."""

    def __init__(self, last=2):
        self.given = []
        self.closed = []
        self.last = last

    @hookimpl
    def inferencesh_endpoint(self, base_url):
        return self.next() if base_url.startswith("local:") else None

    def next(self):
        number = len(self.given) + 1
        if number > self.last:
            raise ConfigurationError("there is no other")
        self.given.append(number)
        return Endpoint(
            f"http://127.0.0.1:{number}", f"token-{number}", lambda: self.closed.append(number), self.next
        )


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


@pytest.fixture
def local():
    return Local()


def opened(local, *replies):
    """A world that answers so, and a client of the endpoint."""
    world = World(replies)
    return world, world.client(base_url="local:apps", plugins=[local])


def went(world):
    """What was sent to which endpoint."""
    return [
        f"{seen.request.method} {seen.request.url.removeprefix('http://127.0.0.1:')}" for seen in world.seen
    ]


def test_a_call_that_nobody_takes_goes_to_the_next_endpoint_with_its_token(local):
    world, client = opened(local, refused(), answer(DONE), answer(DONE))
    assert client.tasks.get("t1")["status"] == client.tasks.get("t1")["status"] == 10
    assert went(world) == ["GET 1/tasks/t1", "GET 2/tasks/t1", "GET 2/tasks/t1"]
    assert world.seen[-1].headers["Authorization"] == "Bearer token-2"
    assert client.context.config.base_url == "http://127.0.0.1:2"
    assert local.closed == [1]
    client.close()
    assert local.closed == [1, 2]


def test_a_task_that_may_have_been_made_is_asked_for_with_the_same_key(local):
    record = {"id": "t1", "status": 1}
    world, client = opened(
        local,
        cut(),
        refused(),
        answer({}, headers={"accept-idempotency-key": "?1"}),
        answer(record),
        answer(DONE),
    )
    assert client.tasks.run({"app": "a"}, wait=False)["id"] == "t1"
    assert went(world) == ["POST 1/apps/run", "GET 1/health", "GET 2/health", "POST 2/apps/run"]
    first, last = world.seen[0], world.seen[-1]
    assert (first.headers["Idempotency-Key"], first.body) == (last.headers["Idempotency-Key"], last.body)


def test_a_stream_that_breaks_goes_on_at_the_next_endpoint(local):
    world, client = opened(
        local, answer({"id": "t1", "status": 1}), stream(DONE | {"status": 9}), refused(), answer(DONE)
    )
    assert client.tasks.run({"app": "a"})["output"] == {"x": 1}
    assert went(world)[-2:] == ["GET 1/tasks/t1", "GET 2/tasks/t1"]


def test_the_content_of_an_upload_goes_where_its_announcement_is_known(local):
    record = {"id": "f1", "uri": "http://127.0.0.1:1/f", "upload_url": "http://127.0.0.1:1/put?signature=s"}
    world, client = opened(local, answer([record]), refused(), answer())
    client.files.upload(b"content", UploadFileOptions(filename="a.txt"))
    assert went(world) == ["POST 1/files", "PUT 1/put?signature=s", "PUT 2/put?signature=s"]
    assert world.seen[-1].body == b"content"
    assert "Authorization" not in world.seen[-1].headers


def test_a_store_elsewhere_is_no_endpoint_of_ours(local):
    record = {"id": "f1", "uri": "inf://f1", "upload_url": "https://store.test/put"}
    _, client = opened(local, answer([record]), *[refused()] * 5)
    with pytest.raises(UploadError):
        client.files.upload(b"content", UploadFileOptions(filename="a.txt"))
    assert local.given == [1]


def test_an_error_says_that_nobody_is_there_and_why_there_is_no_other(local):
    local.last = 1
    world, client = opened(local, *[refused()] * 5)
    with pytest.raises(ConnectError) as caught:
        client.tasks.get("t1")
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert len(world.seen) == 5


def test_threads_that_meet_the_same_end_move_once(local):
    world, client = opened(local, *[refused()] * 4, *[answer(DONE)] * 4)
    outcomes = world.run_all([client.tasks._subject.get("t1") for _ in range(4)])
    assert [outcome.value["status"] for outcome in outcomes] == [10] * 4
    assert (local.given, local.closed) == ([1, 2], [1])


def test_a_remote_api_does_not_move():
    world = World([refused(), answer(DONE)])
    assert world.client().tasks.get("t1")["status"] == 10
    assert {seen.request.url for seen in world.seen} == {"https://api.scripted.test/tasks/t1"}
