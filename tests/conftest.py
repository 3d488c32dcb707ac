"""What holds for every test: it starts from a known environment and leaves nothing behind."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

_SECONDS_TO_END = 10


def pytest_xdist_auto_num_workers():
    """One more than there are processors: the longest test does nothing but wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """Begin with the tests that take longest, so that none of them is what the others end up waiting for."""
    items.sort(key=lambda item: "three_minutes" not in item.name)


@pytest.fixture(scope="session", autouse=True)
def _settings_of_the_developer_stay_out():
    for name in [name for name in os.environ if name.startswith("INFERENCE")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _no_test_changes_the_environment(_settings_of_the_developer_stay_out):
    before = _environment()
    yield
    assert _environment() == before, "the test left the environment changed"


@pytest.fixture(scope="session", autouse=True)
def _no_thread_or_process_outlives_the_tests():
    threads, children = set(threading.enumerate()), _children()
    yield
    end = time.monotonic() + _SECONDS_TO_END
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert set(threading.enumerate()) - threads == set()
    assert _children() - children == set()


def _environment():
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _children():
    """This process's children, by id and command; known on Linux only."""
    if sys.platform != "linux":
        return set()
    ids = [each for task in Path("/proc/self/task").iterdir() for each in _read(task / "children").split()]
    found = {(each, _read(Path("/proc") / each / "cmdline")) for each in ids}
    # Python keeps one such helper for as long as it runs.
    return {child for child in found if "multiprocessing.resource_tracker" not in child[1]}


def _read(path):
    # What is asked about may end at any moment.
    try:
        return path.read_text().replace("\0", " ")
    except OSError:
        return ""
