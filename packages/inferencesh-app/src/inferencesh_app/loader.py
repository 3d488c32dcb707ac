"""An app folder, loaded: its class found, its functions known."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

from inferencesh_core.errors import InferenceError

from .base import BaseApp
from .description import Description, FunctionDescription
from .notes import Notes
from .signatures import AppFunction, AppSetup, SignatureProblem, functions_of, setup_of

if TYPE_CHECKING:
    from types import ModuleType

CODE_NAME = "inference.py"


class LoadError(InferenceError):
    """An app folder whose code cannot be imported or is no app; says which and why."""


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """An app's class with what is known about it."""

    app_class: type[BaseApp]
    setup: AppSetup
    functions: dict[str, AppFunction]
    default_function: str

    def describe(self) -> Description:
        """Names, descriptions and JSON schemas of everything the app offers."""
        functions = {name: _describe(function) for name, function in self.functions.items()}
        model = self.setup.model
        return Description(functions, self.default_function, model.model_json_schema() if model else None)


def load_app(folder: Path, notes: Notes | None = None) -> LoadedApp:
    """Import the folder's `inference.py` and find its app; `notes` None: its manifest is read for them.

    The folder becomes the working directory and importable itself, behind the standard library, since apps
    import their siblings relatively (`from .x_helper import y`) and absolutely (`import x_helper`) and open
    files by relative paths. So this is for a process that serves one app. Raises `LoadError`, and what the
    app's import raises.
    """
    folder = Path(os.path.abspath(folder))
    notes = _notes(folder) if notes is None else notes
    os.chdir(folder)
    sys.path.insert(_after_standard_library(), str(folder))
    return inspect_app(find_app(import_code(folder)), notes)


def _after_standard_library() -> int:
    """Where app folders go in `sys.path`: an app's `queue.py` must not take the place of Python's own."""
    library = os.path.dirname(os.__file__)
    own = (library, os.path.join(library, "lib-dynload"))
    return max((index + 1 for index, entry in enumerate(sys.path) if entry in own), default=0)


def import_code(folder: Path) -> ModuleType:
    """The folder's `inference.py`, imported as a module of a package that is the folder."""
    if not (folder / CODE_NAME).is_file():
        raise LoadError(f"{folder} has no {CODE_NAME}")
    package = "inferencesh_app_" + "".join(char if char.isalnum() else "_" for char in folder.name)
    module = importlib.util.module_from_spec(_package_spec(package, folder))
    sys.modules[package] = module
    if module.__spec__ and module.__spec__.loader:
        module.__spec__.loader.exec_module(module)
    return importlib.import_module(f"{package}.{Path(CODE_NAME).stem}")


def find_app(module: ModuleType) -> type[BaseApp]:
    """The class `App`, else the only class derived from `BaseApp` that the module itself defines."""
    named = getattr(module, "App", None)
    if inspect.isclass(named):
        if not issubclass(named, BaseApp):
            raise LoadError(f"class App in {module.__file__} does not derive from BaseApp")
        return named
    own: list[type[BaseApp]] = [
        each for each in vars(module).values() if _is_app(each) and each.__module__ == module.__name__
    ]
    if len(own) != 1:
        found = ", ".join(each.__name__ for each in own) or "none"
        raise LoadError(
            f"{module.__file__} needs a class App(BaseApp); classes derived from BaseApp: {found}"
        )
    return own[0]


def inspect_app(app_class: type[BaseApp], notes: Notes) -> LoadedApp:
    """What the class offers; the notes may describe functions and name the default one."""
    try:
        functions, setup = functions_of(app_class, notes.descriptions), setup_of(app_class)
    except SignatureProblem as problem:
        raise LoadError(f"{app_class.__name__} cannot be served: {problem}") from problem
    if not functions:
        raise LoadError(f"{app_class.__name__} has no functions: define run(self, input_data)")
    return LoadedApp(app_class, setup, functions, notes.default_function or "run")


def _notes(folder: Path) -> Notes:
    """What the manifest says; nothing without one, since the code can be served all the same."""
    from .manifest import ManifestError, load_manifest  # noqa: PLC0415 - brings a YAML parser; engines tell

    try:
        return load_manifest(folder).notes
    except ManifestError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Notes()
        raise


def _package_spec(package: str, folder: Path) -> ModuleSpec:
    init = folder / "__init__.py"
    if init.is_file():
        spec = importlib.util.spec_from_file_location(package, init, submodule_search_locations=[str(folder)])
        if spec:
            return spec
    spec = ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def _is_app(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseApp) and value is not BaseApp


def _describe(function: AppFunction) -> FunctionDescription:
    schemas = function.input.json_schema(), function.output.json_schema()
    return FunctionDescription(function.name, function.description, *schemas)
