"""Where the key goes, and where it must not be seen."""

import io
import json
import logging
import pickle
import secrets
import traceback

import pytest

from inferencesh_core import inference
from inferencesh_core.errors import APIError, InferenceError
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.secret import Secret
from inferencesh_core.testing.loopback import Loopback
from worlds import held_client

CLIENTS = [inference, held_client]
SIGNATURE = secrets.token_hex(16)


def on_requests(key, base_url, **options):
    return inference(key, base_url, transport=RequestsTransport(), **options)


@pytest.fixture
def key():
    return f"inf_{secrets.token_hex(16)}"


def exercise(client):
    """Make calls of every kind, good and bad; give what was raised."""
    acts = (
        lambda: client.tasks.run({"app": "a/b", "input": {"file": b"content"}}),
        lambda: list(client.tasks.stream("t1")),
        lambda: client.tasks.get("missing"),
        lambda: client.tasks.get("html"),
        lambda: client.tasks.get("redirect"),
        lambda: client.tasks.get("cut"),
        lambda: client.files.upload(b"refuse"),
    )
    return [error for error in map(error_of, acts) if error is not None]


def error_of(act):
    try:
        act()
    except InferenceError as error:
        return error
    return None


def serve(store_url, redirect_url):
    def handle(exchange):
        name = exchange.target.rpartition("/")[2]
        if exchange.target == "/files":
            file = {"id": "f", "uri": "inf://f", "upload_url": f"{store_url}/put?signed={SIGNATURE}"}
            exchange.answer([file])
        elif name == "run":
            exchange.answer({"id": "t1", "status": 1})
        elif name == "stream":
            exchange.start()
            exchange.chunk(b'{"id": "t1", "status": 10}\n')
            exchange.chunk(b"")
        elif name == "missing":
            exchange.answer({"detail": "no such task"}, 404)
        elif name == "html":
            exchange.answer(b"<html>")
        elif name == "redirect":
            exchange.answer(b"", 307, {"Location": f"{redirect_url}/x"})
        else:
            exchange.reset()

    return handle


def store(exchange):
    exchange.answer(b"", 403 if exchange.body == b"refuse" else 200)


@pytest.fixture
def world():
    with (
        Loopback(store) as storage,
        Loopback(lambda e: e.answer({})) as stranger,
        Loopback(serve(storage.url, stranger.url)) as api,
    ):
        yield api, storage, stranger


@pytest.mark.parametrize("client_of", CLIENTS)
def test_the_key_goes_to_the_api_and_to_nobody_else(world, key, client_of):
    api, storage, stranger = world
    with client_of(key, api.url, backoff_base=0.001) as client:
        exercise(client)
    assert {exchange.headers["authorization"] for exchange in api.seen} == {f"Bearer {key}"}
    assert storage.seen
    assert all(key not in repr(vars(exchange)) for exchange in storage.seen)
    assert stranger.seen == []


@pytest.mark.parametrize("client_of", [*CLIENTS, on_requests])
def test_neither_key_nor_signature_is_in_a_log_text_traceback_or_pickle(world, key, client_of):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with client_of(key, world[0].url, backoff_base=0.001) as client:
            root.debug("the test listens")
            raised = exercise(client)
            shown = [repr(client), str(client), repr(client.context), repr(client.tasks), repr(vars(client))]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert len(raised) == 5
    for error in raised:
        shown += traceback.format_exception(error)
        shown += [repr(error), repr(pickle.dumps(error)), repr(vars(error))]
    everything = "".join(shown) + written.getvalue()
    assert "the test listens" in everything
    assert key not in everything
    assert SIGNATURE not in everything


def test_a_client_and_its_key_refuse_to_be_pickled(key):
    with inference(key, "http://127.0.0.1:1") as client, pytest.raises(TypeError):
        pickle.dumps(client)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(key))
    with pytest.raises(TypeError):
        json.dumps(Secret(key))
    assert key not in f"{Secret(key)} {Secret(key)!r}"


def test_a_refused_key_is_an_error_that_says_so(key):
    with (
        Loopback(lambda e: e.answer({"detail": "unknown key"}, 401)) as server,
        inference(key, server.url) as c,
        pytest.raises(APIError, match="HTTP 401: unknown key"),
    ):
        c.tasks.get("t1")
