"""The asynchronous code of our own documents runs as it stands there."""

import shutil
from pathlib import Path

import pytest

from .markdown import blocks_of

ROOT = Path(__file__).parents[2]
BLOCKS = [
    pytest.param(block, id=f"{document}: {block.name}")
    for document in ("docs/async.md", "README.md")
    for block in blocks_of(ROOT / document)
    if block.language == "python" and ("async_inference" in block.code or "AsyncWorld" in block.code)
]


def test_the_documents_have_such_code():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_it_runs(block, tmp_path, monkeypatch):
    ignored = shutil.ignore_patterns(".inferencesh", "__pycache__")
    shutil.copytree(ROOT / "examples" / "apps", tmp_path / "examples" / "apps", ignore=ignored)
    (tmp_path / "README.md").write_text("a file to upload")
    monkeypatch.chdir(tmp_path)
    exec(compile(block.code, "document.md", "exec"), {"__name__": "document"})
