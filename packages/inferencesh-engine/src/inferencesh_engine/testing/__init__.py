"""What plugin authors test with: the suite every executor passes."""

from .executors import ExecutorSuite

__all__ = ["ExecutorSuite"]
