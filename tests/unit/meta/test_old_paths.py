"""Every name that code for SDK 0.7.8 imports from an old module path is still there."""

import json
from importlib import import_module
from pathlib import Path

import pytest

import inferencesh
import inferencesh.models

OLD_PATHS = json.loads((Path(__file__).parents[2] / "vectors" / "old-paths.json").read_text("utf-8"))


@pytest.mark.parametrize("path", OLD_PATHS)
def test_every_name_is_importable(path):
    module = import_module(path)
    assert [name for name in OLD_PATHS[path] if not hasattr(module, name)] == []


@pytest.mark.parametrize("path", OLD_PATHS)
def test_the_public_names_are_exactly_these(path):
    assert sorted(import_module(path).__all__) == sorted(OLD_PATHS[path])


@pytest.mark.parametrize("path", [path for path in OLD_PATHS if path.startswith("inferencesh.models.")])
def test_a_name_is_the_same_object_by_every_path(path):
    module = import_module(path)
    shared = set(OLD_PATHS[path]) & set(OLD_PATHS["inferencesh.models"])
    assert all(getattr(module, name) is getattr(inferencesh.models, name) for name in shared)


@pytest.mark.parametrize("name", ["base", "errors", "file", "llm", "output_meta"])
def test_submodules_of_models_are_attributes_without_being_imported(name):
    assert getattr(inferencesh.models, name) is import_module(f"inferencesh.models.{name}")


@pytest.mark.parametrize("name", ["agent", "api", "client", "models", "tools", "types", "utils"])
def test_submodules_are_attributes_without_being_imported(name):
    assert getattr(inferencesh, name) is import_module(f"inferencesh.{name}")


@pytest.mark.parametrize("path", ["inferencesh.agent", "inferencesh.api", "inferencesh.tools"])
def test_what_agents_are_made_of_is_the_same_object_by_every_path(path):
    module = import_module(path)
    shared = set(OLD_PATHS[path]) & set(inferencesh.__all__)
    assert shared
    assert all(getattr(module, name) is getattr(inferencesh, name) for name in shared)


def test_every_enum_and_record_has_its_old_path():
    import inferencesh.types
    import inferencesh_core.types

    names = [name for name in dir(inferencesh_core.types) if name[0].isupper()]
    imported = {"Any", "Enum", "IntEnum", "TypedDict"}
    assert [name for name in names if not hasattr(inferencesh.types, name)] == sorted(imported)


def test_a_misspelt_name_is_an_attribute_error_naming_it():
    with pytest.raises(AttributeError, match="BaseAp"):
        _ = inferencesh.models.BaseAp


def test_resolutions_keep_the_member_names_of_the_old_path():
    assert inferencesh.models.VideoResolution.VIDEO_RES480_P == "480p"
    assert import_module("inferencesh_core.types").VideoResolution.VIDEO_RES480P == "480p"
