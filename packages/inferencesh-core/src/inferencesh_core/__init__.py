"""The client core of the inference.sh SDK.

from inferencesh_core import inference

client = inference(api_key="...")
task = client.tasks.run({"app": "namespace/name", "input": {}})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:
    from .client import Inference as Inference
    from .client import inference as inference
    from .errors import APIError as APIError
    from .errors import CertificateError as CertificateError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ConnectError as ConnectError
    from .errors import InferenceError as InferenceError
    from .errors import InputError as InputError
    from .errors import PluginError as PluginError
    from .errors import ReadTimeoutError as ReadTimeoutError
    from .errors import RequirementsNotMetError as RequirementsNotMetError
    from .errors import ResponseTooLongError as ResponseTooLongError
    from .errors import SessionEndedError as SessionEndedError
    from .errors import SessionError as SessionError
    from .errors import SessionExpiredError as SessionExpiredError
    from .errors import SessionNotFoundError as SessionNotFoundError
    from .errors import StreamError as StreamError
    from .errors import TaskCancelledError as TaskCancelledError
    from .errors import TaskError as TaskError
    from .errors import TaskFailedError as TaskFailedError
    from .errors import TaskTimeoutError as TaskTimeoutError
    from .errors import TransportError as TransportError
    from .errors import UploadError as UploadError
    from .errors import WorkerLostError as WorkerLostError
    from .fetch import download as download
    from .file import File as File
    from .files import FilesAPI as FilesAPI
    from .files import UploadFileOptions as UploadFileOptions
    from .requirements import RequirementError as RequirementError
    from .requirements import SetupAction as SetupAction
    from .statuses import TaskStatus as TaskStatus
    from .statuses import is_message_ready as is_message_ready
    from .statuses import is_terminal_status as is_terminal_status
    from .statuses import parse_status as parse_status
    from .storage import StorageDir as StorageDir
    from .task_streams import TaskStream as TaskStream
    from .tasks import TasksAPI as TasksAPI

else:
    __getattr__ = lazy_names(
        __name__,
        {
            ".client": "Inference inference",
            ".errors": (
                "APIError CertificateError ConfigurationError ConnectError InferenceError InputError "
                "PluginError ReadTimeoutError RequirementsNotMetError ResponseTooLongError "
                "SessionEndedError SessionError SessionExpiredError SessionNotFoundError StreamError "
                "TaskCancelledError TaskError TaskFailedError TaskTimeoutError TransportError UploadError "
                "WorkerLostError"
            ),
            ".file": "File",
            ".files": "FilesAPI UploadFileOptions",
            ".requirements": "RequirementError SetupAction",
            ".statuses": "TaskStatus is_message_ready is_terminal_status parse_status",
            ".storage": "StorageDir",
            ".fetch": "download",
            ".task_streams": "TaskStream",
            ".tasks": "TasksAPI",
        },
    )

__all__ = [
    "APIError",
    "CertificateError",
    "ConfigurationError",
    "ConnectError",
    "File",
    "FilesAPI",
    "Inference",
    "InferenceError",
    "InputError",
    "PluginError",
    "ReadTimeoutError",
    "RequirementError",
    "RequirementsNotMetError",
    "ResponseTooLongError",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionNotFoundError",
    "SetupAction",
    "StorageDir",
    "StreamError",
    "TaskCancelledError",
    "TaskError",
    "TaskFailedError",
    "TaskStatus",
    "TaskStream",
    "TaskTimeoutError",
    "TasksAPI",
    "TransportError",
    "UploadError",
    "UploadFileOptions",
    "WorkerLostError",
    "download",
    "inference",
    "is_message_ready",
    "is_terminal_status",
    "parse_status",
]


def __dir__() -> list[str]:
    return __all__
