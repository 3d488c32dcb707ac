"""Uploads: what goes up, how often it is tried, and what a run then carries."""

import base64
import io
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from inferencesh_core.errors import APIError, TransportError, UploadError
from inferencesh_core.file import File
from inferencesh_core.files import UploadFileOptions
from inferencesh_core.plugins import hookimpl
from inferencesh_core.sources import upload_source
from inferencesh_core.testing.replies import answer, cut
from inferencesh_core.testing.world import KEY, World

STORE = "https://store.elsewhere.test/put/"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


class Storage:
    """Stores what is PUT, after the trouble it was told; every file takes a second."""

    def __init__(self, trouble=()):
        self.trouble = list(trouble)
        self.records = []
        self.stored = {}
        self.runs = []

    def __call__(self, seen):
        if seen.line == "POST /files":
            return self._record(seen)
        if seen.line == "POST /apps/run":
            self.runs.append(seen.json)
            return answer({"id": "t1", "status": 10})
        if self.trouble:
            return self.trouble.pop(0)
        self.stored[seen.request.url.removeprefix(STORE).partition("?")[0]] = seen.body
        return answer(None, after=1.0)

    def _record(self, seen):
        number = len(self.records)
        self.records += seen.json["files"]
        return answer(
            [{"id": f"f{number}", "uri": f"inf://f{number}", "upload_url": f"{STORE}{number}?signature=s"}]
        )


def uploaded(data, options=None, trouble=(), **more):
    storage = Storage(trouble)
    world = World(storage)
    file = world.client().files.upload(data, options, **more)
    return file, storage, world


def puts(world):
    return [seen for seen in world.seen if seen.request.method == "PUT"]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    return path


CONTENT = b"\x89PNG\r\n\x1a\n" + bytes(1000)


@pytest.mark.parametrize(
    "kind", ["path text", "path", "bytes", "file object", "data URI", "Base64", "File", "bytearray"]
)
def test_every_kind_of_data_is_stored_as_it_is(kind, picture):
    encoded = base64.b64encode(CONTENT).decode()
    data = {
        "path text": str(picture),
        "path": picture,
        "bytes": CONTENT,
        "file object": io.BytesIO(CONTENT),
        "data URI": f"data:image/png;base64,{encoded}",
        "Base64": encoded,
        "File": File(path=str(picture)),
        "bytearray": bytearray(CONTENT),
    }[kind]
    file, storage, _ = uploaded(data)
    assert file["uri"] == "inf://f0"
    assert storage.stored == {"0": CONTENT}
    assert storage.records[0]["content_type"] == "image/png"
    assert storage.records[0]["size"] == len(CONTENT)
    assert storage.records[0]["filename"] == ("cat.png" if "ath" in kind or kind == "File" else "file.png")


def test_options_win_and_are_not_written_to():
    options = UploadFileOptions(content_type="text/x-special", public=True)
    for name in ("a.txt", "b.txt"):
        source = io.BytesIO(b"text")
        source.name = name
        _, storage, _ = uploaded(source, options)
        assert storage.records[0]["filename"] == name
        assert storage.records[0]["content_type"] == "text/x-special"
        assert storage.records[0]["public"] is True
    assert options == UploadFileOptions(content_type="text/x-special", public=True)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"notes", "notes.txt", "text/plain"),
        (CONTENT, "notes.txt", "image/png"),
        (b"notes", "notes", "application/octet-stream"),
        ("data:text/csv,a", "notes.txt", "text/csv"),
    ],
)
def test_the_name_given_tells_the_type_where_the_content_does_not(data, name, kind):
    _, storage, world = uploaded(data, UploadFileOptions(filename=name))
    assert (storage.records[0]["filename"], storage.records[0]["content_type"]) == (name, kind)
    assert puts(world)[0].headers["Content-Type"] == kind


def test_the_store_never_sees_the_key():
    _, _, world = uploaded(b"abc")
    put = puts(world)[0]
    assert "Authorization" not in put.headers
    assert put.headers["Content-Type"]
    assert KEY not in repr(dict(put.headers)) + put.request.url


@pytest.mark.parametrize("trouble", [cut(), answer(None, 503), answer(None, 500), answer(None, 429)])
def test_a_failed_put_is_sent_again_whole(trouble, picture):
    _, storage, world = uploaded(picture, trouble=[trouble, trouble])
    assert [seen.body for seen in puts(world)] == [CONTENT] * 3
    assert storage.stored == {"0": CONTENT}


def test_a_stream_is_sent_again_from_where_it_stood(picture):
    with picture.open("rb") as file:
        file.seek(8)
        _, storage, world = uploaded(file, trouble=[cut()])
        assert not file.closed
    assert [len(seen.body) for seen in puts(world)] == [1000, 1000]
    assert storage.records[0]["size"] == 1000


def test_progress_ends_at_the_size_and_starts_again_with_each_try(picture):
    told = []
    uploaded(picture, trouble=[cut()], on_progress=lambda sent, size: told.append((sent, size)))
    once = [(0, 1008), (1008, 1008)]
    assert told == once * 2


async def asynchronously(_sent, _size):
    pass


class Meter:
    async def __call__(self, sent, size):
        pass


@pytest.mark.parametrize("on_progress", [asynchronously, partial(asynchronously), Meter(), 5])
def test_progress_is_told_to_plain_functions_only(on_progress):
    world = World([])
    with pytest.raises(TypeError, match="on_progress must be a"):
        world.client().files.upload(b"abc", on_progress=on_progress)
    assert world.seen == []


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_store_that_refuses_is_named_with_the_file(status, picture):
    with pytest.raises(UploadError, match=f"cat.png: .*{status}.*too big") as caught:
        uploaded(picture, trouble=[answer({"message": "too big"}, status)])
    assert isinstance(caught.value.__cause__, APIError)


def test_a_store_out_of_reach_is_named_with_the_file(picture):
    with pytest.raises(UploadError, match=r"cat\.png: .*the connection broke") as caught:
        uploaded(picture, trouble=[cut()] * 5)
    assert isinstance(caught.value.__cause__, TransportError)
    assert "signature" not in str(caught.value)


def test_a_store_that_redirects_is_an_error_not_another_request(picture):
    with pytest.raises(UploadError, match="302"):
        uploaded(picture, trouble=[answer(None, 302, {"location": "https://evil.test/"})])


@pytest.mark.parametrize("created", [None, [], {}, [{"id": "f"}], [None], "text"])
def test_a_server_that_gives_no_address_is_named(created):
    with pytest.raises(UploadError, match="gave no address to upload to"):
        World([answer(created)]).client().files.upload(b"abc")


@pytest.mark.parametrize("value", ["no/such/file.png", "data:image/png;base64,%%%", 7, None, ["a"]])
def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(value):
    world = World([])
    with pytest.raises(UploadError):
        world.client().files.upload(value)
    assert world.seen == []


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(UploadError, match="it is a directory"):
        World([]).client().files.upload(tmp_path)


@dataclass
class Shot:
    image: Path
    note: str


def test_files_anywhere_in_an_input_go_up_each_once_and_text_stays_text(picture):
    storage = Storage()
    world = World(storage)
    inputs = {
        "shot": Shot(picture, "characterization"),
        "list": [picture, (str(picture),), {"deep": b"raw bytes"}],
        "word": "responsibilities",
        "digits": "1234567812345678",
        "url": File(uri="https://example.test/a.png"),
        "uri": "data:text/plain,hello",
    }
    world.client().tasks.run({"app": "a/b", "input": inputs})
    assert sorted(storage.stored.values()) == sorted([CONTENT, b"raw bytes", b"hello"])
    sent = storage.runs[0]["input"]
    cat = sent["shot"]["image"]
    assert sent["list"][0] == sent["list"][1][0] == cat
    assert sent["shot"]["note"] == "characterization"
    assert (sent["word"], sent["digits"]) == ("responsibilities", "1234567812345678")
    assert sent["url"] == "https://example.test/a.png"
    assert inputs["list"][0] is picture


def test_files_of_one_input_go_up_side_by_side():
    world = World(Storage())
    inputs = [bytes([number]) for number in range(8)]
    world.client().tasks.run({"app": "a/b", "input": inputs})
    assert world.now == 2.0  # eight files of a second each, four at a time


def test_a_file_that_cannot_be_stored_stops_the_run(picture):
    storage = Storage([answer(None, 403)] * 2)
    world = World(storage)
    with pytest.raises(UploadError):
        world.client().tasks.run({"app": "a/b", "input": [picture, b"other"]})
    assert storage.runs == []


def test_a_missing_file_is_named_by_its_place_in_the_input():
    with pytest.raises(UploadError, match=r"input\.images\[1\].*missing\.png"):
        World([]).client().tasks.run({"app": "a/b", "input": {"images": [b"x", Path("missing.png")]}})


def test_a_plugin_says_how_to_upload_a_kind_of_value():
    class Picture:
        pass

    class Pictures:
        @hookimpl
        def inferencesh_upload_source(self, value):
            return upload_source(b"pixels") if isinstance(value, Picture) else None

    storage = Storage()
    client = World(storage).client(plugins=[Pictures()])
    client.tasks.run({"app": "a/b", "input": {"image": Picture()}})
    assert storage.stored == {"0": b"pixels"}
    assert storage.runs[0]["input"] == {"image": "inf://f0"}


def test_a_file_that_grew_meanwhile_is_stored_as_it_was_announced(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(CONTENT)

    def grow(sent, _size):
        if not sent:
            path.write_bytes(CONTENT + b"GET /smuggled HTTP/1.1\r\n\r\n")

    _, storage, _ = uploaded(path, on_progress=grow)
    assert storage.stored == {"0": CONTENT}


def test_a_file_that_shrank_meanwhile_is_named_and_not_tried_again(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(3000))
    storage = Storage()
    world = World(storage)
    with pytest.raises(UploadError, match=r"^x\.bin changed .*: 3000 bytes announced, 1000 there$"):
        world.client().files.upload(path, on_progress=lambda *_: path.write_bytes(bytes(1000)))
    assert puts(world) == []


def test_a_file_that_cannot_be_read_on_is_named_with_the_reason():
    class Broken(io.BytesIO):
        name = "broken.bin"

        def read(self, *_size):
            if self.tell():
                raise OSError("the disk is gone")
            return super().read(1)

    with pytest.raises(UploadError, match=r"broken\.bin cannot be read while it is sent: the disk is gone"):
        uploaded(Broken(b"abc"))
