"""The namespaces of clients, under their old path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.files import AsyncFilesAPI, FilesAPI
from inferencesh_core.lazy import lazy_names
from inferencesh_core.tasks import AsyncTasksAPI, TasksAPI

if not TYPE_CHECKING:
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_agents": "AgentsAPI AsyncAgentsAPI",
            "inferencesh_sessions": "AsyncSessionHandle AsyncSessionsAPI SessionHandle SessionsAPI",
        },
    )

__all__ = [
    "AsyncFilesAPI",
    "AsyncTasksAPI",
    "FilesAPI",
    "TasksAPI",
]
