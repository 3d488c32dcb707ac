"""The README's synchronous examples run as they are, on the engine in this process."""

from pathlib import Path

from .markdown import blocks_of

ROOT = Path(__file__).parents[2]


def test_running_apps_as_the_readme_shows_it(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (block,) = (block for block in blocks_of(ROOT / "README.md") if block.name == "Running apps 1")
    exec(compile("\n" * (block.line - 1) + block.code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("'text': 'Hi Ada'}")
    assert any(line.startswith("COMPLETED ") for line in printed)
    assert sorted(printed[-100:], key=int) == [str(number) for number in range(100)]
