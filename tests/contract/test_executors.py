"""Every executor that is built in passes the public suite."""

from __future__ import annotations

from inferencesh_engine.executors.subprocess import SubprocessExecutor
from inferencesh_engine.testing import ExecutorSuite


class TestSubprocessExecutor(ExecutorSuite):
    """Child processes."""

    def make_executor(self):
        return SubprocessExecutor()
