"""The Python in our own documents about agents runs as it stands, one block after the other."""

import shutil
from pathlib import Path

import pytest

from .markdown import blocks_of

ROOT = Path(__file__).parents[2]

# What each document prints that shows it did what it says.
DOCUMENTS = {
    "docs/agents.md": [
        'get_weather says: {"city": "Paris", "degrees": 18, "unit": "C"}',
        "called: get_weather {'city': 'Rome'}",
        "ready, chat idle",
        "delete_notes {'before': '2026-01-31'}",
        "Ada Lovelace 36",
        "None idle",
    ],
    "packages/inferencesh-agents/README.md": [
        'get_weather says: {"city": "Paris", "degrees": 21, "unit": "C"}',
    ],
    "README.md": [
        'get_weather says: {"city": "Paris", "degrees": 18}',
        'get_weather says: {"city": "Rome", "degrees": 18}',
    ],
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_it_runs_and_prints_what_it_promises(document, tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".inferencesh"))
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "document"}
    for block in blocks_of(ROOT / document):
        if block.language == "python" and (document != "README.md" or block.name == "Agents 1"):
            exec(compile("\n" * (block.line - 1) + block.code, document, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in DOCUMENTS[document] if line not in printed] == []
