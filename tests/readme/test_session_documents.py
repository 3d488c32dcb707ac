"""The examples in our own documents about sessions run as they stand."""

import shutil
from pathlib import Path

import pytest

from .markdown import blocks_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "docs/sessions.md": "{'pets': 1}",
    "packages/inferencesh-sessions/README.md": "[['Rex', 4]]",
    "README.md": "{'pets': 1}",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_example_prints_what_it_promises(document, tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".inferencesh"))
    monkeypatch.chdir(tmp_path)
    (block,) = [each for each in blocks_of(ROOT / document) if "client.session(" in each.code]
    exec(compile(block.code, document, "exec"), {})
    assert DOCUMENTS[document] in capsys.readouterr().out.splitlines()
