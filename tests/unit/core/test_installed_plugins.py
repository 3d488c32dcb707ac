"""Installed plugins are found as `importlib.metadata` finds them."""

import importlib.metadata
import sys
import zipfile

import pytest

from inferencesh_core.plugins.installed import installed_plugins

GROUP = "a group"
ENTRIES = """
# [a group] is what counts
[console_scripts]
other = os:path
[a group]
plain = os.path
function=os.path:join [extra, more]
  deep = os : path.join
# commented = out
"""


def install(folder, name="Some.Thing-1.0.dist-info", entries=ENTRIES):
    (folder / name).mkdir(parents=True)
    (folder / name / "METADATA").write_text("Name: Some.Thing\nVersion: 1.0\n")
    if entries:
        (folder / name / "entry_points.txt").write_text(entries)


@pytest.fixture
def path(monkeypatch, tmp_path):
    """The path, which has two folders and what is not there."""
    places = [tmp_path / "first", tmp_path / "second"]
    for place in places:
        place.mkdir()
    monkeypatch.setattr(sys, "path", [*map(str, places), str(tmp_path / "absent.zip"), *sys.path])
    return places


def loaded():
    return {plugin.name: plugin.load() for plugin in installed_plugins(GROUP)}


def loaded_by_the_standard_library():
    return {entry.name: entry.load() for entry in importlib.metadata.entry_points(group=GROUP)}


def test_entries_are_read_however_they_are_written(path):
    import os.path

    install(path[0])

    assert loaded() == {"plain": os.path, "function": os.path.join, "deep": os.path.join}
    assert loaded() == loaded_by_the_standard_library()
    assert {plugin.distribution() for plugin in installed_plugins(GROUP)} == {"Some.Thing"}


@pytest.mark.parametrize(
    "name", ["some_thing-2.0.dist-info", "SOME__thing-2.0.egg-info", "some.thing.egg-info"]
)
@pytest.mark.parametrize("entries", ["[a group]\nfirst = sys", ""], ids=["with entries", "without"])
def test_the_first_distribution_of_a_name_is_the_one_that_counts(path, name, entries):
    install(path[0], name, entries)
    install(path[1])

    assert loaded() == ({"first": sys} if entries else {})
    assert loaded() == loaded_by_the_standard_library()


def test_what_is_installed_here_is_found_as_by_the_standard_library():
    for group in ("inferencesh", "console_scripts", "pytest11"):
        expected = importlib.metadata.entry_points(group=group)
        assert sorted(plugin.name for plugin in installed_plugins(group)) == sorted(e.name for e in expected)


@pytest.mark.parametrize("name", ["archive.zip", "archive.egg"])
def test_distributions_in_archives_are_found(path, monkeypatch, name, tmp_path):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("Some.Thing-1.0.dist-info/METADATA", "Name: Some.Thing\n")
        archive.writestr("Some.Thing-1.0.dist-info/entry_points.txt", "[a group]\nzipped = sys")
    monkeypatch.syspath_prepend(tmp_path / name)

    assert loaded() == {"zipped": sys}


def test_distributions_that_only_a_finder_of_somebody_else_knows_are_found(monkeypatch, tmp_path):
    install(tmp_path / "hidden", entries="[a group]\nhidden = sys")

    class Finder:
        def find_spec(self, *_):
            return None

        def find_distributions(self, _context=None):
            return [importlib.metadata.Distribution.at(tmp_path / "hidden" / "Some.Thing-1.0.dist-info")]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])

    assert loaded() == {"hidden": sys}
