"""The namespaces of clients, under their old path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from inferencesh_agents.agents import AgentsAPI, AsyncAgentsAPI
    from inferencesh_core.files import AsyncFilesAPI, FilesAPI
    from inferencesh_core.tasks import AsyncTasksAPI, TasksAPI
    from inferencesh_sessions.handles import AsyncSessionHandle, SessionHandle
    from inferencesh_sessions.sessions import AsyncSessionsAPI, SessionsAPI
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_agents.agents": "AgentsAPI AsyncAgentsAPI",
            "inferencesh_core.files": "AsyncFilesAPI FilesAPI",
            "inferencesh_core.tasks": "AsyncTasksAPI TasksAPI",
            "inferencesh_sessions.handles": "AsyncSessionHandle SessionHandle",
            "inferencesh_sessions.sessions": "AsyncSessionsAPI SessionsAPI",
        },
    )

__all__ = [
    "AgentsAPI",
    "AsyncAgentsAPI",
    "AsyncFilesAPI",
    "AsyncSessionHandle",
    "AsyncSessionsAPI",
    "AsyncTasksAPI",
    "FilesAPI",
    "SessionHandle",
    "SessionsAPI",
    "TasksAPI",
]
