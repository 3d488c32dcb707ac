"""Errors of API calls and sessions, under their old path."""

from inferencesh_core.errors import (
    APIError,
    RequirementError,
    RequirementsNotMetError,
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    SessionNotFoundError,
    SetupAction,
    WorkerLostError,
)

__all__ = [
    "APIError",
    "RequirementError",
    "RequirementsNotMetError",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionNotFoundError",
    "SetupAction",
    "WorkerLostError",
]
