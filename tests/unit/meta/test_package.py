"""The meta-package: every name of SDK 0.7.8, the same object by every path."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import inferencesh
import inferencesh_agents
import inferencesh_core

NAMES = json.loads((Path(__file__).parents[2] / "vectors" / "package-names.json").read_text("utf-8"))


def run(code):
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_published_package_is_there(name):
    assert name in inferencesh.__all__
    assert getattr(inferencesh, name) is not None


@pytest.mark.parametrize("name", ["AsyncAgent", "tool", "function_tool"])
def test_a_name_of_a_package_that_is_not_installed_says_what_to_install(name):
    failure = run(
        f"import sys; sys.modules['inferencesh_agents'] = None; from inferencesh import {name}"
    ).stderr
    needed = "comes with the package inferencesh-agents: pip install inferencesh-agents"
    assert f"inferencesh.{name} {needed}" in failure


def test_whatever_core_offers_is_offered_here_as_the_same_object():
    assert [name for name in inferencesh_core.__all__ if name not in inferencesh.__all__] == []
    assert all(
        getattr(inferencesh, name) is getattr(inferencesh_core, name) for name in inferencesh_core.__all__
    )


def test_what_users_of_agents_need_is_offered_here_as_the_same_object():
    # Builders have their old path; the others are what an attribute or an argument is, seldom named.
    elsewhere = {*inferencesh.tools.__all__, "AsyncOpenAgent", "OpenAgent", "SendOptions"}
    needed = [name for name in inferencesh_agents.__all__ if name not in elsewhere or name in NAMES]
    assert [name for name in needed if name not in inferencesh.__all__] == []
    assert all(getattr(inferencesh, name) is getattr(inferencesh_agents, name) for name in needed)


def test_a_misspelt_name_is_an_attribute_error():
    assert not hasattr(inferencesh, "Inferense")
    assert "cannot import name 'Inferense'" in run("from inferencesh import Inferense").stderr


def test_dir_lists_the_public_names():
    assert dir(inferencesh) == sorted(inferencesh.__all__)


IMPORTS = """
from inferencesh import streamable
import inferencesh; streamable = inferencesh.streamable
import inferencesh.streamable; streamable = inferencesh.streamable
import inferencesh.streamable as streamable
from inferencesh.streamable import iter_ndjson; from inferencesh import streamable
from inferencesh import iter_ndjson; import inferencesh.streamable as streamable
from inferencesh import streamable as first; import inferencesh.streamable as streamable
from inferencesh.streamable import streamable as first; from inferencesh import streamable
from importlib import import_module; import_module("inferencesh.streamable"); from inferencesh import *
"""


@pytest.mark.parametrize("imports", IMPORTS.strip().splitlines())
def test_streamable_is_the_function_however_it_was_imported(imports):
    check = "import inferencesh_core.streamable as core; assert streamable is core.streamable, streamable"
    assert run(f"{imports}; {check}").stderr == ""


def test_the_module_of_that_name_stays_importable():
    assert (
        run("import inferencesh; from inferencesh.streamable import stream_get, StreamableMessage").stderr
        == ""
    )
