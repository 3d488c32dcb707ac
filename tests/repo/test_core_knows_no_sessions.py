"""Sessions reach clients by hooks alone: core has no code about them."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "packages" / "inferencesh-core" / "src" / "inferencesh_core"
# What a file may say: the errors' names, the generated records, the package to install, how a name is typed.
NAMED_IN = {"__init__.py", "errors.py", "types.py", "assembly.py", "client.py"}
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


def code_of(path):
    """The file's syntax tree without what only checkers and readers see."""
    tree = ast.parse((SOURCE / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = [ast.Pass()]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return tree


@pytest.mark.parametrize("path", FILES)
def test_no_module_of_core_imports_sessions(path):
    tree = code_of(path)
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert [module for module in modules if "inferencesh_sessions" in module] == []


@pytest.mark.parametrize("path", [path for path in FILES if path not in NAMED_IN and "testing/" not in path])
def test_no_code_of_core_speaks_of_sessions(path):
    names = [node.id for node in ast.walk(code_of(path)) if isinstance(node, ast.Name)]
    names += [node.attr for node in ast.walk(code_of(path)) if isinstance(node, ast.Attribute)]
    names += [
        node.value
        for node in ast.walk(code_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    # The HTTP library calls its pool of connections a session too.
    assert [name for name in names if "session" in name.lower() and "requests" not in path] == []


@pytest.mark.parametrize("path", sorted(NAMED_IN))
def test_no_decision_of_core_depends_on_sessions(path):
    tests = [
        node.test for node in ast.walk(code_of(path)) if isinstance(node, (ast.If, ast.IfExp, ast.While))
    ]
    assert [test for test in map(ast.dump, tests) if "session" in test.lower()] == []
