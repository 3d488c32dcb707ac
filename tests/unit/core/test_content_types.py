import pytest

from inferencesh_core import content_types

NAMES = [
    ("photo.JPG", "image/jpeg"),
    ("photo.webp", "image/webp"),
    ("photo.AVIF", "image/avif"),
    ("model.glb", "model/gltf-binary"),
    ("notes.txt", "text/plain"),
    ("notes.md", "text/markdown"),
    ("table.csv", "text/csv"),
    ("data.jsonl", "application/jsonl"),
    ("config.yaml", "application/yaml"),
    ("archive.tar.gz", "application/gzip"),
    ("archive.zip", "application/zip"),
    ("song.mp3", "audio/mpeg"),
    ("clip.mp4", "video/mp4"),
    ("a:b.png", "image/png"),
    ("weights.safetensors", None),
    ("README", None),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_tells_its_content_type_in_any_case(name, expected):
    assert content_types.by_name(name) == expected
    assert content_types.by_name(f"/some.dir/{name.upper()}") == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
        (b"\x00\x00\x00\x20ftypheic", "image/heic"),
        (b"II*\x00", "image/tiff"),
        (b"RIFF\x01\x02\x03\x04WAVE", None),
        (b"BM is how a sentence may begin", None),
        (b"hello", None),
        (b"", None),
    ],
)
def test_an_image_is_known_by_its_first_bytes(head, expected):
    assert content_types.by_first_bytes(head) == expected


def test_a_file_without_a_telling_name_is_looked_into(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert content_types.by_file(path) == "image/png"
    assert content_types.by_file(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        ("image/jpeg", ".jpg"),
        ("IMAGE/PNG; q=1", ".png"),
        ("image/webp", ".webp"),
        ("text/plain", ".txt"),
        ("application/octet-stream", ".bin"),
        ("made/up", ""),
    ],
)
def test_a_content_type_has_its_usual_extension(content_type, extension):
    assert content_types.extension_of(content_type) == extension
