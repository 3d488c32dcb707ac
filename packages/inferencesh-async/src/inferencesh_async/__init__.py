"""The asyncio client of the inference.sh SDK.

from inferencesh_async import async_inference

async with async_inference(api_key="...") as client:
    task = await client.tasks.run({"app": "namespace/name", "input": {}})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from inferencesh_core.files import AsyncFilesAPI as AsyncFilesAPI
    from inferencesh_core.task_streams import AsyncTaskStream as AsyncTaskStream
    from inferencesh_core.tasks import AsyncTasksAPI as AsyncTasksAPI

    from .client import AsyncInference as AsyncInference
    from .client import async_inference as async_inference

else:
    __getattr__ = lazy_names(
        __name__,
        {
            ".client": "AsyncInference async_inference",
            "inferencesh_core.files": "AsyncFilesAPI",
            "inferencesh_core.task_streams": "AsyncTaskStream",
            "inferencesh_core.tasks": "AsyncTasksAPI",
        },
    )

__all__ = [
    "AsyncFilesAPI",
    "AsyncInference",
    "AsyncTaskStream",
    "AsyncTasksAPI",
    "async_inference",
]


def __dir__() -> list[str]:
    return __all__
