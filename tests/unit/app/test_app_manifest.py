"""Manifests: every way real ones are written, and errors that name the line."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_app.manifest import (
    Gpu,
    Images,
    Kernel,
    ManifestError,
    Requirement,
    load_manifest,
    parse_manifest,
    ram_bytes,
)
from inferencesh_app.yaml_document import MAX_DOCUMENT_BYTES

FULL = """\
name: flux
namespace: falai
description: Makes images
category: image
kernel: python-3.12
resources:
  gpu: {count: 1, type: nvidia, vram: 24000000000}
  ram: 16
metadata:
  tags: [a, b]
  released: 2024-01-01
  score: .inf
env:
  HF_HUB_ENABLE_HF_TRANSFER: 1
  CMAKE_ARGS: "-DX=on"
images: {card: https://x/card.png, thumbnail: , banner: ""}
secrets:
  - key: FAL_KEY
    description: for fal
  - {key: EXTRA, optional: true}
integrations:
  - {key: gcp.vertex_ai, description: Vertex}
credentials:
  - {key: x.tweet.read}
functions:
  - {name: run, description: the main one}
default_function: run
unknown: is ignored
"""


def parsed(text):
    return parse_manifest(text.encode(), Path("inf.yml"))


def test_a_full_manifest_is_read_into_records():
    manifest = parsed(FULL)
    assert (manifest.namespace, manifest.name, manifest.category) == ("falai", "flux", "image")
    assert manifest.resources.gpu == Gpu(1, "nvidia", 24_000_000_000)
    assert manifest.resources.ram_bytes == 16_000_000_000
    assert manifest.metadata == {"tags": ["a", "b"], "released": "2024-01-01", "score": ".inf"}
    assert manifest.env == {"HF_HUB_ENABLE_HF_TRANSFER": "1", "CMAKE_ARGS": "-DX=on"}
    assert manifest.images == Images(card="https://x/card.png")
    assert manifest.secrets == (Requirement("FAL_KEY", "for fal"), Requirement("EXTRA", optional=True))
    assert [each.key for each in manifest.integrations] == ["gcp.vertex_ai", "x.tweet.read"]
    assert [each.name for each in manifest.functions] == ["run"]
    assert manifest.default_function == "run"


def test_a_manifest_of_empty_values_has_the_defaults():
    keys = (
        "namespace description category kernel resources metadata env images secrets integrations functions"
    )
    empty = "name: x\n" + "".join(f"{key}:\n" for key in keys.split())
    assert parsed(empty) == parsed(empty.replace(":\n", ': ""\n')) == parsed("name: x")


@pytest.mark.parametrize(
    ("written", "kernel"),
    [
        ("python-3.11", Kernel("python", "3.11")),
        ("3.10", Kernel("python", "3.10")),
        ('"3.12"', Kernel("python", "3.12")),
        ("node-22", Kernel("node", "22")),
        ("python", Kernel("python", None)),
        ('""', Kernel("python", None)),
        ("", Kernel("python", None)),
    ],
)
def test_kernels_are_read_as_written(written, kernel):
    assert parsed(f"name: x\nkernel: {written}").kernel == kernel


@pytest.mark.parametrize(
    ("amount", "in_bytes"),
    [
        (0, 0),
        (4, 4_000_000_000),
        (999, 999_000_000_000),
        (1000, 1_000_000_000),
        (2048, 2_048_000_000),
        (4_000_000_000, 4_000_000_000),
    ],
)
def test_ram_is_gb_below_1000_mb_below_a_billion_else_bytes(amount, in_bytes):
    assert ram_bytes(amount) == in_bytes
    assert parsed(f"name: x\nresources: {{ram: {amount}}}").resources.ram_bytes == in_bytes


def test_an_error_knows_the_app_it_is_about_as_soon_as_it_has_a_name():
    def app_of(text):
        with pytest.raises(ManifestError) as caught:
            parsed(text)
        return caught.value.app

    assert app_of("env: [A]\nname: x\nnamespace: q\n") == ("q", "x")
    assert app_of("env: [A]\nname: x\n") == ("", "x")
    assert app_of("name: x\nnamespace: y/z\n") is None
    assert app_of("name: [") is None


def test_a_key_that_is_nearly_a_known_one_is_doubted_and_others_are_ignored():
    text = "name: x\nsecretss:\n  - key: A\nvariants: {}\nx-own: 1\ndescripton: y\n"
    assert parsed(text).doubts == (
        "inf.yml, line 2: 'secretss' is ignored; did you mean 'secrets'?",
        "inf.yml, line 6: 'descripton' is ignored; did you mean 'description'?",
    )
    assert parsed("name: x\nsecrets: []\nmetadata: {secretss: 1}\n").doubts == ()


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "must hold names with values"),
        ("- a\n- b", 1, "must hold names with values"),
        ("name: [\n", 2, "is not YAML"),
        ("description: x\n", 1, "name is missing"),
        ("category: x\nname: a/b\n", 2, "may not contain"),
        ("name: a b\n", 1, "name 'a b' may not contain '/', '@', ':' or spaces"),
        ("name: x\nnamespace: y/z\n", 2, "namespace 'y/z' may not contain"),
        ("name: x\nkernel: cobol-60\n", 2, "cobol-60"),
        ("name: x\nresources:\n  ram: lots\n", 3, "ram must be a number"),
        ("name: x\nresources:\n  ram: -1\n", 3, "0 or more"),
        ("name: x\nresources:\n  gpu:\n    count: 1.5\n", 4, "whole number"),
        ("name: x\nenv: [A]\n", 2, "env must be names with values"),
        ("name: x\nsecrets:\n  - description: d\n", 3, "has no key"),
        ("name: x\nsecrets:\n  - {key: A, optional: perhaps}\n", 3, "true or false"),
        ("name: x\nfunctions: run\n", 2, "functions must be a list"),
        ("name: x\n? [a]\n: b\n", 2, "must be text"),
        ("name: x\n<<: 3\n", 2, "merging"),
        ("name: x\nmetadata: {a: !!int abc}\n", 2, "is not a int"),
    ],
)
def test_errors_name_the_line_and_what_is_wrong(text, line, what):
    with pytest.raises(ManifestError, match=what) as caught:
        parsed(text)
    assert caught.value.line == line
    assert f"inf.yml, line {line}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "x: &x [1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"x{n}: &x{n} [{','.join([f'*x{n - 1}' if n else '*x'] * 9)}]\n" for n in range(9)),
        "name: x\nmetadata: &m\n  self: *m\n",
        "[" * 50_000,
        "name: x\n#" + " " * MAX_DOCUMENT_BYTES,
        "a: &a {x: 1}\n"
        + "".join(
            f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]}}\n" for n in range(9)
        ),
    ],
    ids=["aliases of aliases", "alias to itself", "deep nesting", "too long", "merges of merges"],
)
def test_a_small_file_cannot_grow_large(text):
    with pytest.raises(ManifestError):
        parsed(text)


def test_a_tag_makes_no_object():
    assert parsed("name: !!python/name:os.system x").name == "x"


def test_a_merge_key_brings_its_values():
    assert parsed("base: &base {A: one}\nname: x\nenv: {<<: *base, B: two}").env == {"A": "one", "B": "two"}


def test_a_missing_manifest_is_an_error_with_its_path(tmp_path):
    with pytest.raises(ManifestError, match="No such file") as caught:
        load_manifest(tmp_path)
    assert caught.value.path == tmp_path / "inf.yml"
    assert caught.value.line is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_manifest_or_a_manifest_error(content):
    with suppress(ManifestError):
        assert parse_manifest(content, Path("inf.yml")).name


_KEYS = [
    "name",
    "namespace",
    "kernel",
    "resources",
    "gpu",
    "count",
    "ram",
    "vram",
    "metadata",
    "env",
    "images",
    "secrets",
    "key",
    "optional",
    "functions",
]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
)


@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES))
def test_any_values_under_known_keys_are_a_manifest_or_a_manifest_error(document):
    import yaml

    with suppress(ManifestError):
        assert parse_manifest(yaml.safe_dump(document).encode(), Path("inf.yml")).name
