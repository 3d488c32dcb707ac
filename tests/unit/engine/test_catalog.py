"""Which apps there are, what references mean, when an app is another version, and what apps are given."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import zipfile
from contextlib import suppress
from importlib.util import find_spec

import pytest

from inferencesh_engine.catalog import Catalog
from inferencesh_engine.catalog.layers import LayerError
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.domain.problems import EngineStartError, Problem

needs_an_installer = pytest.mark.skipif(
    shutil.which("uv") is None and find_spec("pip") is None, reason="needs uv or pip"
)


def make_app(root, path, manifest="", code="x = 1\n"):
    folder = root / path
    folder.mkdir(parents=True)
    (folder / "inf.yml").write_text(f"name: {folder.name}\n{manifest}")
    (folder / "inference.py").write_text(code)
    return folder


def catalog_of(root, **settings):
    return Catalog(EngineConfig(apps_dir=root, state_dir=root / ".inferencesh", **settings))


def problem_of(catalog, reference):
    with pytest.raises(Problem) as caught:
        catalog.resolve(reference)
    return caught.value


def test_apps_are_found_beside_each_other_and_one_folder_down(tmp_path):
    make_app(tmp_path, "alone")
    make_app(tmp_path, "acme/upscale", "namespace: acme\n")
    make_app(tmp_path, ".hidden/secret")
    assert [app.ref for app in catalog_of(tmp_path).apps()] == ["acme/upscale", "local/alone"]


def test_a_folder_that_is_an_app_itself_is_served(tmp_path):
    make_app(tmp_path, "alone")
    assert [app.ref for app in catalog_of(tmp_path / "alone").apps()] == ["local/alone"]


def test_a_folder_without_manifest_is_ignored_and_named(tmp_path):
    (tmp_path / "notes").mkdir()
    catalog = catalog_of(tmp_path)
    assert catalog.apps() == []
    assert [str(tmp_path / "notes") in issue and "inf.yml" in issue for issue in catalog.issues()] == [True]


def test_a_missing_apps_folder_stops_the_start_and_is_named(tmp_path):
    with pytest.raises(EngineStartError, match="nowhere"):
        catalog_of(tmp_path / "nowhere")


def test_two_apps_of_one_name_stop_the_start_and_are_both_named(tmp_path):
    first, second = make_app(tmp_path, "a/tool"), make_app(tmp_path, "b/tool")
    with pytest.raises(EngineStartError) as caught:
        catalog_of(tmp_path)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "function"),
    [
        ("acme/tool", None),
        ("tool", None),
        ("acme/tool@latest", None),
        ("acme/tool@{short}", None),
        ("acme/tool@{full}:edit", "edit"),
        ("tool:edit", "edit"),
    ],
)
def test_a_reference_means_an_app_and_perhaps_a_function(tmp_path, reference, function):
    make_app(tmp_path, "tool", "namespace: acme\n")
    catalog = catalog_of(tmp_path)
    app = catalog.apps()[0]
    resolved = catalog.resolve(reference.format(short=app.version_id[:8], full=app.version_id))
    assert (resolved.app, resolved.function) == (app, function)


def test_a_name_that_several_namespaces_have_is_the_local_one_or_must_be_completed(tmp_path):
    make_app(tmp_path, "a/tool", "namespace: acme\n")
    make_app(tmp_path, "b/tool", "namespace: umbrella\n")
    catalog = catalog_of(tmp_path)
    problem = problem_of(catalog, "tool")
    assert (problem.status, problem.code) == (422, "ambiguous_app")
    assert "acme/tool" in problem.detail
    assert "umbrella/tool" in problem.detail
    make_app(tmp_path, "c/tool")
    assert [app.ref for app in catalog.apps()] == ["acme/tool", "local/tool", "umbrella/tool"]
    assert catalog.resolve("tool").app.ref == "local/tool"


def test_an_unknown_app_is_a_404_that_names_what_exists_and_what_comes_close(tmp_path):
    make_app(tmp_path, "upscale")
    make_app(tmp_path, "chat")
    problem = problem_of(catalog_of(tmp_path), "local/upscal")
    assert (problem.status, problem.code) == (404, "app_not_found")
    assert "local/chat" in problem.detail
    assert "Did you mean local/upscale?" in problem.detail


def test_an_unknown_version_is_a_404_that_names_the_one_there_is(tmp_path):
    make_app(tmp_path, "tool")
    catalog = catalog_of(tmp_path)
    problem = problem_of(catalog, "tool@abcdefgh")
    assert problem.status == 404
    assert catalog.apps()[0].version_id[:8] in problem.detail


def test_what_is_no_reference_is_a_400(tmp_path):
    assert problem_of(catalog_of(tmp_path), "a/b/c").status == 400


def test_apps_are_found_by_their_ids(tmp_path):
    make_app(tmp_path, "tool")
    make_app(tmp_path, "other", code="y = 2\n")
    catalog = catalog_of(tmp_path)
    tool = catalog.resolve("tool").app
    assert catalog.by_id(app_id=tool.app_id) == tool
    assert catalog.by_id(version_id=tool.version_id) == tool
    with pytest.raises(Problem, match="no app with id nothing"):
        catalog.by_id(app_id="nothing")


def test_a_broken_manifest_is_a_422_that_names_the_file_and_the_line_until_it_is_repaired(tmp_path):
    folder = make_app(tmp_path, "tool")
    make_app(tmp_path, "fine")
    (folder / "inf.yml").write_text("name: tool\nenv: [\n")
    catalog = catalog_of(tmp_path)
    assert [app.name for app in catalog.apps()] == ["fine"]
    assert any("tool" in issue for issue in catalog.issues())
    problem = problem_of(catalog, "tool")
    assert problem.status == 422
    assert str(folder / "inf.yml") in problem.detail
    assert "line" in problem.detail
    (folder / "inf.yml").write_text("name: tool\n")
    eventually(lambda: catalog.resolve("tool").app)


def test_an_app_with_a_mistake_in_its_manifest_is_found_under_its_own_name(tmp_path):
    folder = make_app(tmp_path, "folder")
    (folder / "inf.yml").write_text("env: [A]\nname: tool\nnamespace: q\n")
    catalog = catalog_of(tmp_path)
    problem = problem_of(catalog, "q/tool")
    assert (problem.status, problem.code) == (422, "app_broken")
    assert f"q/tool cannot be used: {folder / 'inf.yml'}, line 1: env must be" in problem.detail
    assert problem_of(catalog, "local/folder").status == 404


def test_a_key_that_is_nearly_a_known_one_is_an_issue_and_the_app_runs(tmp_path):
    folder = make_app(tmp_path, "tool", "secretss: []\n")
    catalog = catalog_of(tmp_path)
    assert catalog.resolve("tool").app.name == "tool"
    issue = "'secretss' is ignored; did you mean 'secrets'?"
    assert [each for each in catalog.issues() if issue in each and str(folder / "inf.yml") in each]
    (folder / "inf.yml").write_text("name: tool\n")
    eventually(lambda: catalog.apps() and not any(issue in each for each in catalog.issues()))


def test_an_app_for_another_language_says_so(tmp_path):
    make_app(tmp_path, "tool", "kernel: node-22\n")
    assert "node" in problem_of(catalog_of(tmp_path), "tool").detail


def test_what_is_added_renamed_and_removed_shows_at_the_next_reference(tmp_path):
    folder = make_app(tmp_path, "tool")
    catalog = catalog_of(tmp_path)
    make_app(tmp_path, "new")
    assert catalog.resolve("new").app.ref == "local/new"
    (folder / "inf.yml").write_text("name: renamed\n")
    eventually(lambda: catalog.resolve("renamed").app)
    assert problem_of(catalog, "tool").status == 404
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert problem_of(catalog, "renamed").status == 404


@pytest.mark.parametrize("name", ["inference.py", "prompt.txt", "parts/helper.py"])
def test_an_edit_makes_another_version_of_the_same_app(tmp_path, name):
    folder = make_app(tmp_path, "tool")
    catalog = catalog_of(tmp_path)
    before = catalog.resolve("tool").app
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("edited\n")
    eventually(lambda: catalog.resolve("tool").app.version_id != before.version_id)
    assert catalog.resolve("tool").app.app_id == before.app_id


@pytest.mark.parametrize("name", ["out.png", "run.log", "__pycache__/inference.pyc", ".cache/x.py"])
def test_what_an_app_writes_beside_its_code_makes_no_other_version(tmp_path, name):
    folder = make_app(tmp_path, "tool")
    before = catalog_of(tmp_path).resolve("tool").app.version_id
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"written by the app")
    assert catalog_of(tmp_path).resolve("tool").app.version_id == before


def test_equal_content_is_one_version_wherever_it_lies(tmp_path):
    for place in ("here", "there"):
        make_app(tmp_path / place, "tool")
    here, there = (catalog_of(tmp_path / place).apps()[0] for place in ("here", "there"))
    assert here.version_id == there.version_id


NEEDY = """
secrets:
  - {key: OPENAI_API_KEY, description: to call OpenAI}
  - {key: EXTRA, optional: true}
integrations:
  - {key: gcp.vertex_ai}
  - {key: x.tweet.read}
"""


def test_missing_secrets_and_integrations_are_told_with_what_to_do(tmp_path):
    make_app(tmp_path, "tool", NEEDY)
    catalog = catalog_of(tmp_path, secrets={"X_ACCESS_TOKEN": "t"})
    body = catalog.requirements(catalog.apps()[0])
    assert body["satisfied"] is False
    secret, integration = body["errors"]
    assert (secret["type"], secret["key"]) == ("secret", "OPENAI_API_KEY")
    assert secret["action"] == {"type": "add_secret"}
    assert "to call OpenAI" in secret["message"]
    assert integration["key"] == "gcp.vertex_ai"
    assert integration["action"] == {"type": "connect", "provider": "gcp"}
    assert "GCP_ACCESS_TOKEN" in integration["message"]


def test_a_worker_is_given_what_its_app_declares_and_no_other_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDECLARED", "nobody's business")
    make_app(tmp_path, "tool", NEEDY + "env: {MODE: fast}\n")
    secrets = {"OPENAI_API_KEY": "k", "GCP_ACCESS_TOKEN": "g", "X_ACCESS_TOKEN": "x", "UNDECLARED": "u"}
    catalog = catalog_of(tmp_path, secrets=secrets)
    app = catalog.apps()[0]
    assert catalog.requirements(app) is None
    environment = asyncio.run(catalog.prepare(app, print)).environment
    assert "UNDECLARED" not in environment
    assert {name: environment[name] for name in ("OPENAI_API_KEY", "GCP_ACCESS_TOKEN", "MODE")} == {
        "OPENAI_API_KEY": "k",
        "GCP_ACCESS_TOKEN": "g",
        "MODE": "fast",
    }
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["FILE_CACHE_DIR"].startswith(str(tmp_path))


def test_requirements_that_are_there_already_and_inferencesh_itself_need_no_layer(tmp_path):
    folder = make_app(tmp_path, "tool")
    lines = ["# a comment", "pydantic>=2  # why", "inferencesh==0.7.8", "no-such; python_version < '3'"]
    (folder / "requirements.txt").write_text("\n".join(lines))
    catalog = catalog_of(tmp_path)
    environment = asyncio.run(catalog.prepare(catalog.apps()[0], print)).environment
    assert ".inferencesh" not in environment.get("PYTHONPATH", "")


@needs_an_installer
def test_requirements_are_installed_once_into_a_layer_first_on_the_path(tmp_path):
    wheel = make_wheel(tmp_path)
    folder = make_app(tmp_path, "apps/tool")
    (folder / "requirements.txt").write_text("-r more.txt\n")
    (folder / "more.txt").write_text(f"{wheel}\n")
    catalog, logs = catalog_of(tmp_path / "apps"), []
    app = catalog.apps()[0]
    environment = asyncio.run(catalog.prepare(app, logs.append)).environment
    layer = environment["PYTHONPATH"].split(os.pathsep)[0]
    with open(os.path.join(layer, "greeting.py")) as module:
        assert module.read() == "HELLO = 1\n"
    assert logs
    logs.clear()
    assert asyncio.run(catalog.prepare(app, logs.append)).environment == environment
    assert logs == []


@needs_an_installer
def test_requirements_that_cannot_be_installed_say_why_and_leave_no_half_layer(tmp_path):
    folder = make_app(tmp_path, "tool")
    (folder / "requirements.txt").write_text("./no-such-wheel-1.0-py3-none-any.whl\n")
    catalog, logs = catalog_of(tmp_path), []
    with pytest.raises(LayerError, match=str(folder)):
        asyncio.run(catalog.prepare(catalog.apps()[0], logs.append))
    assert "no-such-wheel" in "".join(logs)
    assert list((tmp_path / ".inferencesh" / "layers").iterdir()) == []


def make_wheel(folder):
    path = folder / "greeting-1.0-py3-none-any.whl"
    info = "greeting-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeting.py", "HELLO = 1\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(
            f"{info}/RECORD", f"greeting.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


def eventually(works):
    """Edits show at a share of the time: a look that has just been taken is not taken again at once."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with suppress(Problem):
            if works():
                return
    raise AssertionError("the edit does not show")
