import base64
import gc
import io
import os
import random
import string
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferencesh_core.file import File
from inferencesh_core.sources import UnusableFileError, source_of, upload_source


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("hello")
    return path


@dataclass
class Pipe:
    """A stream that can be read once."""

    data: bytes

    def read(self, size=-1):
        taken, self.data = (self.data, b"") if size < 0 else (self.data[:size], self.data[size:])
        return taken


def content_of(source):
    with source.open() as reader:
        return reader.read()


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("make", "size", "filename", "content_type"),
    [
        (Path, 5, "note.txt", "text/plain"),
        (str, 5, "note.txt", "text/plain"),
        (File, 5, "note.txt", "text/plain"),
        (lambda p: File(path=p, filename="x.bin", content_type="z/z"), 5, "x.bin", "z/z"),
        (lambda _: b"hello", 5, "file.bin", "application/octet-stream"),
        (lambda _: bytearray(b"hello"), 5, "file.bin", "application/octet-stream"),
        (lambda _: memoryview(b"hello"), 5, "file.bin", "application/octet-stream"),
        (lambda _: io.BytesIO(b"hello"), 5, "file.bin", "application/octet-stream"),
        (lambda _: Pipe(b"hello"), 5, "file.bin", "application/octet-stream"),
        (lambda _: "data:text/plain;charset=utf-8;base64,aGVsbG8", 5, "file.txt", "text/plain"),
        (lambda _: File("data:text/plain,hello"), 5, "file.txt", "text/plain"),
    ],
)
def test_every_kind_of_file_can_be_read_as_often_as_wanted(note, make, size, filename, content_type):
    source = source_of(make(note))
    assert (source.size, source.filename, source.content_type) == (size, filename, content_type)
    assert [content_of(source) for _ in range(3)] == [b"hello"] * 3
    hash(source.identity)


def test_an_open_file_is_read_from_where_it_stands_and_left_open(note):
    with note.open("rb") as file:
        file.read(2)
        source = source_of(file)
        assert (source.size, source.filename, source.content_type) == (3, "note.txt", "text/plain")
        assert [content_of(source), content_of(source)] == [b"llo", b"llo"]
        assert not file.closed


@pytest.mark.parametrize("value", [PNG, bytearray(PNG), io.BytesIO(PNG), Pipe(PNG)])
def test_an_image_without_a_name_is_labelled_by_its_first_bytes(value):
    source = source_of(value)
    assert (source.filename, source.content_type) == ("file.png", "image/png")


@pytest.mark.parametrize(
    ("name", "kind"), [("x.webp", "image/webp"), ("Y.JPG", "image/jpeg"), ("z", "image/png")]
)
def test_an_image_is_labelled_by_its_extension_first(tmp_path, name, kind):
    (tmp_path / name).write_bytes(PNG)
    assert source_of(tmp_path / name).content_type == kind


def test_a_spooled_copy_is_removed_with_its_source():
    source = source_of(Pipe(b"x" * 100_000))
    reader = source.open()
    temporary = reader._stream
    assert reader.read(5) == b"xxxxx"
    del source, reader
    gc.collect()
    assert temporary.closed


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda d: d / "missing.png", "No such file"),
        (lambda d: d, "it is a directory"),
        (lambda d: File(path=d / "missing.png"), "No such file"),
        (lambda _: Path("a\0b"), "null"),
        (lambda _: Path(os.devnull), "not a regular file"),
        (lambda _: io.StringIO("text"), 'open it with mode "rb"'),
        (lambda _: Pipe("text"), "cannot be read"),
        (lambda _: "data:image/png;base64,a", "malformed data URI 'data:image/png;base64,a'"),
    ],
)
def test_a_file_that_cannot_be_uploaded_is_named_with_its_place(tmp_path, make, complaint):
    with pytest.raises(UnusableFileError, match=complaint) as caught:
        source_of(make(tmp_path), place="input.images[2]")
    assert str(caught.value).startswith("input.images[2]: ")
    assert isinstance(caught.value, ValueError)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_an_error(note):
    note.chmod(0)
    with pytest.raises(UnusableFileError, match="Permission denied"):
        source_of(note)


@pytest.mark.parametrize("form", ["{path}", "./note.txt", "../{folder}/note.txt", "~/note.txt"])
def test_an_explicit_path_is_a_file_unless_strings_never_are(note, monkeypatch, form):
    monkeypatch.chdir(note.parent)
    monkeypatch.setenv("HOME", str(note.parent))
    text = form.format(path=note, folder=note.parent.name)
    assert content_of(source_of(text)) == b"hello"
    assert source_of(text, "never") is None


TEXTS = [
    "note.txt", "folder/note.txt", ".", "..", "./", "/", "~", "/tmp", "./missing", "/no/such/file",
    "characterization", "responsibilities", "1234567890123456", "0123456789abcdef" * 2, "aGVsbG8gd29ybGQ=",
    "data: 5 rows", "data:", "http://h/x.png", "inf://files/x", "file:///etc/hostname", "a\0b", "/a\0b", "",
    "/help me", "/" + "x" * 10_000, "~nobody-of-this-name/x", "//etc/hostname",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(note, monkeypatch, text):
    (note.parent / "folder").mkdir()
    (note.parent / "folder" / "note.txt").write_text("hello")
    monkeypatch.chdir(note.parent)
    assert source_of(text) is None
    assert source_of(text, "never") is None


def test_ten_thousand_generated_strings_cause_no_upload(note, monkeypatch):
    monkeypatch.chdir(note.parent)
    generator = random.Random(0)
    alphabets = [
        string.ascii_letters,
        string.digits,
        string.hexdigits,
        string.printable,
        "AZaz09+/=",
        "./~a\\",
        "é字🙂 ",
    ]
    for _ in range(10_000):
        text = "".join(
            generator.choices(generator.choice(alphabets), k=generator.choice([1, 4, 16, 32, 64, 500]))
        )
        assert source_of(text) is None
    for name in ("note.txt", base64.b64encode(b"x" * 30).decode()):
        assert source_of(name) is None


@settings(max_examples=300)
@given(st.text())
def test_no_string_hypothesis_finds_is_a_file(text):
    if not text.startswith("data:"):
        assert source_of(text) is None


@pytest.mark.parametrize(
    ("text", "data", "content_type"),
    [
        ("note.txt", b"hello", "text/plain"),
        ("characterization", base64.b64decode("characterization"), "application/octet-stream"),
        ("aGVsbG8gd29ybGQ=", b"hello world", "application/octet-stream"),
        ("data:text/plain;base64,aGk=", b"hi", "text/plain"),
        ("data:text/plain;base64,a G k=", b"hi", "text/plain"),
    ],
)
def test_legacy_uploads_what_0_7_8_did(note, monkeypatch, text, data, content_type):
    monkeypatch.chdir(note.parent)
    source = source_of(text, "legacy")
    assert (content_of(source), source.content_type) == (data, content_type)


@pytest.mark.parametrize(
    "text",
    ["AAAAAAAAAAAA", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAA===", "AAAA=AAAAAAAAAAA", "AAAA-AAA_AAAAAAA",
     "characterization\n",
     "aGVsbG8gd29ybGQ= ", " note.txt", "~/note.txt", "DATA:text/plain;base64,aGk=", "http://x/y", "x\0y"],
)  # fmt: skip
def test_legacy_leaves_alone_what_0_7_8_did(note, monkeypatch, text):
    monkeypatch.chdir(note.parent)
    assert source_of(text, "legacy") is None


@pytest.mark.parametrize(
    "text", [".", "data: 5 rows", "data:", "data:text/plain,hi", "data:;base64,aGk=", "data:x;base64,aGk"]
)
def test_legacy_refuses_what_0_7_8_did(text):
    with pytest.raises(ValueError, match="cannot upload"):
        source_of(text, "legacy")


@pytest.mark.parametrize(
    "make",
    [
        str,
        Path,
        lambda _: b"hello",
        lambda _: "data:,hello",
        lambda _: io.BytesIO(b"hello"),
        lambda p: File(path=p),
    ],
)
def test_an_explicit_upload_takes_every_kind(note, make):
    assert content_of(upload_source(make(note))) == b"hello"


def test_an_explicit_upload_takes_a_bare_name_and_base64(note, monkeypatch):
    monkeypatch.chdir(note.parent)
    assert content_of(upload_source("note.txt")) == b"hello"
    assert content_of(upload_source("aGVsbG8gd29ybGQ=")) == b"hello world"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (".", "it is a directory"),
        ("missing.png", "cannot upload 'missing.png': there is no such file"),
        ("", "cannot upload '': there is no such file"),
        (None, "cannot upload None: expected a path"),
        ({"a": 1}, "expected a path"),
        ("data:image/png;base64,!!!!", "not Base64"),
        ("data:text/plain", "malformed data URI"),
        (Path("missing.png"), "No such file"),
    ],
)
def test_an_explicit_upload_of_anything_else_says_what_it_takes(data, complaint):
    with pytest.raises(UnusableFileError, match=complaint):
        upload_source(data)


def test_a_source_under_another_name_still_has_its_content():
    renamed = replace(source_of(Pipe(b"hello")), filename="other.bin")
    gc.collect()
    assert content_of(renamed) == b"hello"
