"""The tests of operations run on both faces, from one source."""

import pytest

from worlds import WORLDS

BOTH = {
    "test_agent_cuts",
    "test_agent_tools",
    "test_agents",
    "test_calls",
    "test_cancel_on_exit",
    "test_follow",
    "test_mistaken_arguments",
    "test_run_many",
    "test_time_of_runs",
    "test_uploads",
}
"""Modules whose ``World`` may be either."""


def pytest_generate_tests(metafunc):
    if metafunc.module.__name__.rpartition(".")[2] in BOTH:
        metafunc.parametrize("either_world", WORLDS, indirect=True)


@pytest.fixture(autouse=True)
def either_world(request, monkeypatch):
    """Let a module's ``World`` be the one or the other."""
    if hasattr(request, "param"):
        monkeypatch.setattr(request.module, "World", WORLDS[request.param])
