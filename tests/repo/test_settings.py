"""Every setting is described, offered to callers, and one version stands behind all packages."""

import re
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import pytest

from inferencesh_core.assembly import ClientOptions
from inferencesh_core.config import ClientConfig
from inferencesh_engine.config import EngineConfig

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "VERSION.py").read_text())[1]


def test_every_setting_of_a_client_is_described_where_it_stands():
    described = re.findall(r"^ +(\w+): \S", ClientConfig.__doc__, re.MULTILINE)
    assert [*ClientConfig._fields] == described


def test_every_setting_of_a_client_can_be_passed_to_it():
    offered = ClientOptions.__annotations__.keys() | {"api_key", "base_url"}
    assert {*ClientConfig._fields} - offered == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_the_one_version(package):
    assert version(package) == VERSION


def test_the_client_calls_itself_by_the_one_version():
    assert ClientConfig().user_agent == f"inference-sdk-py/{VERSION}"


def test_the_changelog_tells_of_the_version():
    assert f"\n## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_variable_that_programs_read_is_documented():
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("packages/*/src/**/*.py"))
    variables = set(re.findall(r'"(INFERENCE(?:SH)?_[A-Z_]+)"', code)) - {"INFERENCESH_CRASH_AT"}
    documents = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("packages/*/README.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in documents)
    assert {name for name in variables if name not in text} == set()


def test_every_setting_of_an_engine_is_described_or_speaks_for_itself():
    described = re.findall(r"^ +(\w+): \S", EngineConfig.__doc__, re.MULTILINE)
    assert set(described) <= {field.name for field in fields(EngineConfig)}
