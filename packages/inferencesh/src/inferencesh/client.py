"""The client and what belongs to it, under their old path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from inferencesh_core.client import Inference
from inferencesh_core.errors import APIError, RequirementsNotMetError
from inferencesh_core.files import UploadFileOptions
from inferencesh_core.lazy import lazy_names
from inferencesh_core.statuses import TaskStatus, is_message_ready, is_terminal_status, parse_status
from inferencesh_core.task_streams import AsyncTaskStream, TaskStream
from inferencesh_core.types import ChatMessageStatus

from .stream_manager import StreamManager

if TYPE_CHECKING:
    from inferencesh_async.client import AsyncInference

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, {"inferencesh_async.client": "AsyncInference"})

__all__ = [
    "APIError",
    "AsyncInference",
    "AsyncTaskStream",
    "ChatMessageStatus",
    "Inference",
    "RequirementsNotMetError",
    "StreamManager",
    "TaskCallback",
    "TaskStatus",
    "TaskStream",
    "UploadFileOptions",
    "is_message_ready",
    "is_terminal_status",
    "parse_status",
]


@runtime_checkable
class TaskCallback(Protocol):
    """What an object that is told about a task's progress looks like."""

    def on_update(self, data: dict[str, Any]) -> None:
        """Called with each update."""

    def on_error(self, error: Exception) -> None:
        """Called when following the task failed."""

    def on_complete(self, task: dict[str, Any]) -> None:
        """Called with the completed task."""
