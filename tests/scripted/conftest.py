"""Every scripted test runs on both faces."""

import pytest
from worlds import WORLDS


@pytest.fixture(params=WORLDS, autouse=True)
def either_world(request, monkeypatch):
    """Let a module's ``World`` be the one or the other."""
    if hasattr(request.module, "World"):
        monkeypatch.setattr(request.module, "World", WORLDS[request.param])
