"""What is in the sdists and wheels: the package, its licence and README, one version, nothing else."""

import re
import tarfile
import zipfile
from email.parser import Parser

import pytest

from .conftest import PACKAGES, ROOT, wheel_of

VERSION = re.search(r'"(.+)"', (ROOT / "VERSION.py").read_text().partition("__version__")[2])[1]

of_every_package = pytest.mark.parametrize("package", PACKAGES)


@pytest.fixture
def wheel(built, package):
    with zipfile.ZipFile(wheel_of(built, package)) as archive:
        yield archive


@pytest.fixture
def metadata(wheel, package):
    text = wheel.read(f"{package.replace('-', '_')}-{VERSION}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


@of_every_package
def test_a_wheel_made_from_an_sdist_keeps_the_version(metadata):
    assert metadata["Version"] == VERSION


@of_every_package
def test_a_wheel_holds_its_package_its_licence_and_nothing_else(wheel, package):
    module = package.replace("-", "_")
    names = wheel.namelist()
    assert f"{module}/py.typed" in names
    assert f"{module}-{VERSION}.dist-info/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {module, f"{module}-{VERSION}.dist-info"}
    assert [name for name in names if re.search(r"test_|tests/|benchmarks?|conftest|__pycache__", name)] == []


@of_every_package
def test_a_wheel_has_every_file_of_the_source_tree(wheel, package):
    source = ROOT / "packages" / package / "src"
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    caches = re.compile(r"(^|/)(__pycache__|\.)")  # of Python, and of tools that ran there
    assert {name for name in files if not caches.search(name)} - set(wheel.namelist()) == set()


@of_every_package
def test_the_metadata_tell_what_the_package_is(metadata, package):
    assert metadata["Name"] == package
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (ROOT / "packages" / package / "README.md").read_text().strip()


@of_every_package
def test_an_sdist_holds_what_is_needed_to_build_the_wheel_again(built, package):
    folder = f"{package.replace('-', '_')}-{VERSION}"
    with tarfile.open(built / f"{folder}.tar.gz") as archive:
        names = {name.removeprefix(f"{folder}/") for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= names
    assert [name for name in names if re.search(r"test_|tests/|benchmarks?|__pycache__", name)] == []


@of_every_package
def test_packages_want_the_others_of_their_own_release(metadata):
    major, minor, *_ = VERSION.split(".")
    ours = [each for each in metadata.get_all("Requires-Dist") if re.match(r"inferencesh\b", each)]
    assert [each for each in ours if f"=={major}.{minor}.*" not in each] == []


def test_the_extra_of_old_requirement_files_is_known(built):
    with zipfile.ZipFile(wheel_of(built, "inferencesh")) as archive:
        text = archive.read(f"inferencesh-{VERSION}.dist-info/METADATA").decode()
    assert "async" in Parser().parsestr(text).get_all("Provides-Extra")
