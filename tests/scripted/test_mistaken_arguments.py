"""Arguments that cannot be right: said with the value, its place and what to do, before anything is sent."""

import io
from pathlib import Path

import pytest

from inferencesh_core.errors import InferenceError, InputError, UploadError
from inferencesh_core.file import File
from inferencesh_core.files import UploadFileOptions
from inferencesh_core.testing.replies import answer
from inferencesh_core.testing.world import World

RUN = {"app": "a/b", "input": {"text": "x"}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ("examples/echo", r"a run takes a mapping, such as \{'app': .*, not 'examples/echo'"),
        (None, "a run takes a mapping, .* not None"),
        (5, "a run takes a mapping, .* not 5"),
        ([("app", "a/b")], "a run takes a mapping, "),
        ({**RUN, "stream": True}, r"beside the parameters, not in them: run\(\{...\}, stream=True\)"),
        ({**RUN, "setup": {"p": Path("x")}}, r"setup\.p is a PosixPath, and files are for the input alone"),
        ({**RUN, "setup": {"p": b"x"}}, r"setup\.p is a bytes, and files are for the input alone"),
        ({**RUN, "metadata": object()}, "metadata is a object, which JSON has no form for"),
        ({**RUN, "input": {(1, 2): 3}}, r"input has the key \(1, 2\), and the keys of JSON are text"),
        ({**RUN, "input": {"missing": float("nan")}}, r"input\.missing is nan, which JSON has no form for"),
    ],
)
def test_parameters_that_are_none_are_named_before_anything_is_sent(params, text):
    world = World([])
    tasks = world.client().tasks
    runs = [
        *[lambda: tasks.run(params), lambda: tasks.run(params, wait=False)],
        *[lambda: list(tasks.run(params, stream=True)), lambda: list(tasks.run_many([params]))],
    ]
    for run in runs:
        with pytest.raises(InputError, match=text) as caught:
            run()
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ValueError)
    assert world.seen == []


def test_the_mistaken_one_of_many_is_told_by_its_number():
    world = World(lambda _seen: answer({"id": "t1", "status": 10}))
    results = list(world.client().tasks.run_many([RUN, 5], return_exceptions=True))
    assert {getattr(result, "index", None) for result in results} == {None, 1}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": "5"}, "timeout must be a number of seconds, or None, not '5'"),
        ({"timeout": float("nan")}, "timeout must be .* not nan"),
        ({"timeout": True}, "timeout must be .* not True"),
        ({"max_reconnects": None}, "max_reconnects must be a number, not None"),
        ({"reconnect_delay_ms": "5"}, "reconnect_delay_ms must be a number of milliseconds, not '5'"),
    ],
)
def test_times_that_are_none_are_named_before_anything_is_sent(options, text):
    world = World([])
    tasks = world.client().tasks
    acts = [lambda: tasks.run(RUN, **options), lambda: list(tasks.stream("t1", **options))]
    if "timeout" in options:
        acts += [lambda: tasks.wait_for_completion("t1", **options)]
        acts += [lambda: list(tasks.run_many([RUN], **options))]
    for act in acts:
        with pytest.raises(TypeError, match=text):
            act()
    assert world.seen == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("/nope.png", "cannot upload '/nope.png': there is no such file"),
        (File(uri="inf://x"), r"cannot upload File\(uri='inf://x'\): .* has no local path"),
        (io.StringIO("x"), "open as text"),
        (7, "expected a path, bytes, "),
    ],
)
def test_what_cannot_be_uploaded_says_why(data, text):
    with pytest.raises(UploadError, match=text):
        World([]).client().files.upload(data)


def test_options_of_an_upload_may_be_a_mapping():
    stored = [{"id": "f", "uri": "u", "upload_url": "https://store.test/put"}]
    world = World([answer(stored), answer(None)] * 2)
    for options in ({"filename": "z.txt", "public": True}, UploadFileOptions("z.txt", public=True)):
        world.client().files.upload(b"a", options)
    (first,), (second,) = world.seen[0].json["files"], world.seen[2].json["files"]
    assert (first["filename"], first["public"]) == ("z.txt", True)
    assert first == second


@pytest.mark.parametrize("options", [{"name": "z"}, "z.txt", 5])
def test_options_of_an_upload_that_are_none_say_what_there_is(options):
    with pytest.raises(TypeError, match=r"mapping of \['content_type', 'filename', 'path', 'public'\], not"):
        World([]).client().files.upload(b"a", options)


def test_an_input_error_is_one_of_the_sdk():
    assert issubclass(InputError, InferenceError)
