"""What the client brings itself, through the same hooks as any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .specs import Namespace, hookimpl

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..http.auth import Auth
    from ..http.problems import Problem
    from ..http.transport import Transport


class BuiltinClientPlugin:
    """The transport, bearer keys, tasks and files, and the errors every API has."""

    @hookimpl
    def inferencesh_transport(self, config: ClientConfig) -> Transport:
        """Give the transport with pooled connections."""
        from ..http.http_client_transport import HttpClientTransport  # noqa: PLC0415 - unneeded when another one answers

        return HttpClientTransport(config)

    @hookimpl
    def inferencesh_auth(self, config: ClientConfig) -> Auth | None:
        """Send the key as a bearer token."""
        from ..http.auth import BearerAuth  # noqa: PLC0415 - unneeded when another one answers

        return BearerAuth(config.api_key) if config.api_key else None

    @hookimpl
    def inferencesh_namespaces(self) -> list[Namespace]:
        """Give ``client.tasks`` and ``client.files``."""
        return [Namespace("tasks", _tasks, _async_tasks), Namespace("files", _files, _async_files)]

    @hookimpl
    def inferencesh_error(self, problem: Problem) -> Exception:
        """Give `RequirementsNotMetError` for missing requirements, `APIError` for the rest."""
        from ..errors import APIError, RequirementsNotMetError  # noqa: PLC0415 - only failures need it

        if problem.status == 412 and problem.errors is not None:
            return RequirementsNotMetError.from_response({"errors": problem.errors}, problem.status)
        return APIError(problem.status, problem.message, problem.body_text)


def _tasks(client: Any) -> object:
    from ..tasks import TasksAPI  # noqa: PLC0415 - loaded when first used

    return TasksAPI(client)


def _async_tasks(client: Any) -> object:
    from ..tasks import AsyncTasksAPI  # noqa: PLC0415 - loaded when first used

    return AsyncTasksAPI(client)


def _files(client: Any) -> object:
    from ..files import FilesAPI  # noqa: PLC0415 - loaded when first used

    return FilesAPI(client)


def _async_files(client: Any) -> object:
    from ..files import AsyncFilesAPI  # noqa: PLC0415 - loaded when first used

    return AsyncFilesAPI(client)
