import copy
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import List, Optional  # noqa: UP035 - how existing apps write their fields

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from inferencesh_core.cache_entry import cache_directory, display_name
from inferencesh_core.file import KEEP_FILES, File


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FILE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("hello")
    return path


class Strict(BaseModel):
    file: File


class Lenient(BaseModel):
    file: Optional[File] = None  # noqa: UP045


class Many(BaseModel):
    files: List[File]  # noqa: UP006


class Sparse(BaseModel):
    files: Optional[List[File]] = None  # noqa: UP006, UP045
    holes: list[File | None] = []
    asked: File | None
    either: File | str = "x"


@pytest.mark.parametrize(
    "make", [str, Path, lambda p: {"path": str(p)}, lambda p: {"uri": str(p)}, Path.as_uri]
)
def test_a_local_file_is_known_without_being_told(note, make):
    file = File(make(note))
    assert (file.path, file.content_type, file.size, file.filename) == (
        str(note),
        "text/plain",
        5,
        "note.txt",
    )
    assert (file.exists(), file.is_resolved(), file.is_local()) == (True, True, True)


def test_what_is_given_wins_over_what_is_found(note):
    file = File(path=str(note), content_type="image/png", filename="custom_name.png", size=1024)
    assert (file.content_type, file.filename, file.size) == ("image/png", "custom_name.png", 1024)
    file.refresh_metadata()
    assert (file.content_type, file.filename, file.size) == ("text/plain", "note.txt", 5)


def test_refreshing_sees_that_the_file_has_changed(note):
    file = File.from_path(note)
    note.write_text("hello, world")
    assert file.size == 5
    file.refresh_metadata()
    assert file.size == 12


def test_a_file_written_after_its_object_was_made_has_a_size(tmp_path):
    file = File(path=tmp_path / "later.png")
    assert (file.exists(), file.size, file.content_type) == (False, None, "image/png")
    (tmp_path / "later.png").write_bytes(b"123")
    assert (file.exists(), file.size) == (True, 3)


def test_a_relative_path_becomes_absolute_and_a_tilde_the_home(note, monkeypatch):
    monkeypatch.chdir(note.parent)
    monkeypatch.setenv("HOME", str(note.parent))
    assert File("note.txt").path == File("~/note.txt").path == str(note)


def test_the_record_of_an_upload_is_a_file_without_the_path_the_store_has():
    record = {
        "id": "f1",
        "uri": "inf://f1",
        "path": "/store/a.png",
        "size": 3,
        "user": None,
        "rating": "unrated",
    }
    assert File(record).to_dict() == {"uri": "inf://f1", "size": 3}
    with pytest.raises(TypeError, match="a file has no 'rating'"):
        File({"uri": "inf://f1", "rating": "unrated"})


@pytest.mark.parametrize("nothing", [None, "", {}, {"content_type": "a/b"}])
def test_a_file_needs_a_path_or_a_uri(nothing):
    with pytest.raises(ValueError, match="Either 'uri' or 'path' must be provided"):
        File(nothing)


@pytest.mark.parametrize("wrong", [3, b"bytes", ["a"]])
def test_what_is_no_file_is_refused(wrong):
    with pytest.raises(ValueError, match="Invalid input for File"):
        File(wrong)


def test_to_dict_has_the_known_members_only(note):
    assert File(path=note).to_dict() == {
        "path": str(note),
        "content_type": "text/plain",
        "size": 5,
        "filename": "note.txt",
    }


def test_a_data_uri_is_written_when_its_path_is_needed(cache):
    file = File("data:text/plain;charset=utf-8,hello")
    assert (file.is_local(), file.is_resolved(), cache.exists()) == (True, False, False)
    assert (file.content_type, file.size, file.filename) == ("text/plain", 5, "file.txt")
    assert Path(file.path).read_text() == "hello"
    assert Path(file.path).suffix == ".txt"
    assert (file.is_resolved(), file.exists()) == (True, True)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_malformed_data_uri_is_refused_at_once():
    with pytest.raises(ValueError, match="malformed data URI 'data:image/png;base64,a'"):
        File("data:image/png;base64,a")


def test_a_url_is_described_without_being_asked_for():
    file = File("http://127.0.0.1:1/pictures/My%20Cat.PNG?sig=x")
    assert (file.content_type, file.filename) == ("image/png", "My Cat.PNG")
    assert (file.is_local(), file.is_resolved()) == (False, False)
    assert file.to_dict() == {
        "uri": "http://127.0.0.1:1/pictures/My%20Cat.PNG?sig=x",
        "content_type": "image/png",
        "filename": "My Cat.PNG",
    }
    assert "My Cat" in repr(file)


def test_an_address_of_the_service_is_passed_on_but_has_no_path():
    file = File("inf://files/x")
    assert file.to_dict() == {"uri": "inf://files/x"}
    assert not file.exists()
    with pytest.raises(ValueError, match=r"'inf://files/x' has no local path"):
        file.path  # noqa: B018


def test_a_path_given_with_a_url_is_where_the_content_is(note):
    file = File(uri="http://127.0.0.1:1/x.png", path=note)
    assert (file.uri, file.path, file.is_resolved()) == ("http://127.0.0.1:1/x.png", str(note), True)


def test_a_path_may_be_set_later(note, tmp_path):
    file = File(path=note)
    file.path = tmp_path / "other"
    assert file.path == str(tmp_path / "other")


@pytest.mark.parametrize("again", [File, copy.deepcopy, lambda file: pickle.loads(pickle.dumps(file))])
def test_a_copy_knows_the_same(note, again):
    file = File(path=note, filename="shown.txt")
    assert again(file).to_dict() == file.to_dict()


@pytest.mark.parametrize("value", [str, File, lambda p: {"path": str(p), "size": 5}])
def test_a_field_takes_every_form_of_a_file(note, value):
    model = Strict(file=value(note))
    assert model.file.path == str(note)
    assert model.model_dump()["file"] == model.file.to_dict()
    assert Strict.model_validate_json(model.model_dump_json()).file.to_dict() == model.file.to_dict()


def test_a_field_keeps_the_very_object_it_is_given(note):
    file = File(path=note)
    assert Strict(file=file).file is file


@pytest.mark.parametrize("empty", ["", {}, None])
def test_an_empty_value_is_an_error_where_a_file_is_required_and_none_where_it_is_not(empty):
    with pytest.raises(ValidationError, match="a file is required here"):
        Strict(file=empty)
    with pytest.raises(ValidationError, match=r"files\.1\n.*a file is required here"):
        Many(files=["a.png", empty])
    assert Lenient(file=empty).file is None
    assert Lenient(file=empty).model_dump() == {"file": None}
    assert Sparse(asked=empty, holes=[empty]).model_dump() == {
        "files": None,
        "holes": [None],
        "asked": None,
        "either": "x",
    }
    with pytest.raises(ValidationError, match="a file is required here"):
        Sparse(asked=None, files=[empty])


def test_an_empty_value_without_a_model_around_it_is_an_error():
    with pytest.raises(ValidationError, match="a file is required here"):
        TypeAdapter(File).validate_python("")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"uri": "http://x/y", "colour": 1, "shape": 2}, "'colour', 'shape'"),
        ({"content_type": "a/b"}, "Either 'uri' or 'path'"),
        (3, "Invalid input for File"),
        ("data:image/png;base64,a", "malformed data URI"),
        ({"path": 7}, "path"),
    ],
)
def test_a_wrong_value_is_a_validation_error_that_says_what_is_wrong(value, complaint):
    for model in (Strict, Lenient):
        with pytest.raises(ValidationError, match=complaint):
            model(file=value)


def test_the_schema_of_a_file_is_a_string_of_format_file():
    schema = {"type": "string", "format": "file"}
    assert Strict.model_json_schema()["properties"]["file"] == {"title": "File", **schema}
    assert Lenient.model_json_schema()["properties"]["file"]["anyOf"] == [schema, {"type": "null"}]
    assert TypeAdapter(File).json_schema(mode="serialization") == schema


def test_a_dump_may_keep_file_objects(note):
    model = Many(files=[note.as_posix()])
    assert model.model_dump(context={KEEP_FILES: True})["files"] == model.files


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.png?x=1#y", "b.png"),
        ("http://h/", "download"),
        ("http://h", "download"),
        ("http://h/%2e%2e%2fetc%2Fpasswd", "_etc_passwd"),
        ("http://h/a%00b%0a.txt", "a_b_.txt"),
        ("http://h/..", "download"),
        ("http://h/" + "x" * 500 + ".png", "x" * 116 + ".png"),
        ("http://h/%E2%80%AEgnp.exe", "_gnp.exe"),
    ],
)
def test_a_name_from_a_url_can_do_no_harm(url, name):
    assert display_name(url) == name


def test_the_cache_of_the_user_is_closed_to_others(tmp_path, monkeypatch):
    monkeypatch.delenv("FILE_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cache/inferencesh/files").mkdir(parents=True, mode=0o755)
    assert cache_directory() == File.get_cache_dir() == tmp_path / ".cache/inferencesh/files"
    assert stat.S_IMODE(cache_directory().stat().st_mode) == 0o700


def test_files_and_sources_do_without_pydantic_and_http():
    code = (
        "import sys, inferencesh_core.file as f, inferencesh_core.input_files as i\n"
        "i.replace_files({'a': f.File('data:,x'), 'b': 'text'})\n"
        "print(sorted({'pydantic', 'pydantic_core', 'urllib3', 'requests', 'ssl'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
