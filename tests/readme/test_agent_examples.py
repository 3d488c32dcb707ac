"""The examples about agents run as they stand, and print what they are there to show."""

import io
import runpy
import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def printed_by(tmp_path, monkeypatch, capsys):
    def run(name, stdin=""):
        shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns(".inferencesh"))
        monkeypatch.setattr("sys.stdin", stdin if isinstance(stdin, Terminal) else io.StringIO(stdin))
        runpy.run_path(str(tmp_path / "examples" / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_chat_calls_functions_and_an_app(printed_by):
    printed = printed_by("agent_chat_with_tools.py")
    assert "       get_weather says: 18 °C and light rain in Paris" in printed
    assert "       get_weather says: There is no weather station in Atlantis" in printed
    assert '       exchange says: {"currency": "JPY", "amount": 6060.0}' in printed
    assert any(line.startswith("       run_sql says: ") and "2026-07-14" in line for line in printed)
    assert "Agent  You said: Thank you!" in printed


def test_the_letter_becomes_a_list_of_guests(printed_by):
    assert printed_by("agent_structured_output.py") == [
        "Ada Lovelace    36  ada@analytical.org",
        "Alan Turing     41  alan@bletchley.uk",
        "Grace Hopper    85  grace@navy.mil",
        "The chat is completed.",
        "None",
    ]


@pytest.mark.parametrize(
    ("stdin", "refunded"),
    [
        ("", {"A-17": 20.0}),
        (Terminal("yes\n"), {"A-17": 20.0, "B-2": 400.0}),
    ],
    ids=["nobody", "yes"],
)
def test_a_large_refund_needs_somebody_who_says_yes(printed_by, stdin, refunded):
    assert printed_by("agent_approval.py", stdin)[-1] == f"Refunded: {refunded}"


def test_the_editor_has_the_others_do_the_work(printed_by):
    printed = printed_by("agent_sub_agent.py")
    assert "the ledger's word is: two hundred and sixty-eight." in printed
    assert any(line.startswith("  assistant text      'run_sql says: ") and "268" in line for line in printed)
