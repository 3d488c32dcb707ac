"""What packages say they offer: to programs, to checkers, and to the imports of others."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in ROOT.glob("packages/*/src") if path.is_dir())
MODULES = sorted(
    ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    for source in SOURCES
    for path in source.rglob("*.py")
    if path.name != "__main__.py"
)


def tree_of(module):
    return ast.parse(Path(inspect.getfile(import_module(module))).read_text(encoding="utf-8"))


def type_checking_branches(module):
    return [node for node in tree_of(module).body if isinstance(node, ast.If) and node.orelse]


LAZY = [
    module
    for module in MODULES
    if any("lazy_names" in ast.dump(branch) for branch in type_checking_branches(module))
]


def test_lazy_packages_are_found():
    assert {"inferencesh", "inferencesh_core", "inferencesh_app", "inferencesh.models"} <= set(LAZY)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_every_name_it_exports(name):
    module = import_module(name)
    exported = getattr(module, "__all__", [])
    assert [each for each in exported if not hasattr(module, each)] == []
    assert len(exported) == len(set(exported))


@pytest.mark.parametrize("name", LAZY)
def test_checkers_see_just_the_names_a_lazy_package_exports(name):
    (branch,) = type_checking_branches(name)
    seen = {alias.asname or alias.name for node in branch.body for alias in node.names}
    assert seen == set(import_module(name).__all__)


@pytest.mark.parametrize("name", LAZY)
def test_a_lazy_name_is_the_object_that_checkers_see(name):
    module = import_module(name)
    (branch,) = type_checking_branches(name)
    for node in branch.body:
        home = import_module("." * node.level + (node.module or ""), name)
        for alias in node.names:
            assert getattr(module, alias.name) is getattr(home, alias.name)


IMPORT_EACH_FIRST = """
import sys
from importlib import import_module
for module in sys.argv[1:]:
    for loaded in [name for name in sys.modules if name.startswith("inferencesh")]:
        del sys.modules[loaded]
    import_module(module)
"""


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_every_module_can_be_the_first_to_be_imported(source):
    # Modules that need each other in a circle fail only where the wrong one comes first.
    modules = [module for module in MODULES if (source / module.partition(".")[0]).is_dir()]
    command = [sys.executable, "-c", IMPORT_EACH_FIRST, *modules]
    assert subprocess.run(command, check=False, capture_output=True, text=True).stderr == ""


def test_imports_between_packages_point_inwards():
    # In a process of its own: it configures logging for all.
    command = [sys.executable, "-c", "import sys, importlinter.cli as cli; sys.exit(cli.lint_imports())"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
