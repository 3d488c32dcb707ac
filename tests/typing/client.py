"""The client as its users write it; read by type checkers, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import inferencesh
from inferencesh import (
    AsyncFilesAPI,
    AsyncInference,
    AsyncTasksAPI,
    AsyncTaskStream,
    FilesAPI,
    Inference,
    TaskFailedError,
    TasksAPI,
    TaskStatus,
    TaskStream,
    UploadFileOptions,
    async_inference,
    inference,
    is_terminal_status,
    parse_status,
)
from inferencesh.types import TaskTimingsDTO
from inferencesh_core import inference as core_inference

client = inference(api_key="key", read_timeout=5, upload_strings="never")
assert_type(client, Inference)
assert_type(core_inference(), Inference)
assert_type(client.tasks, TasksAPI)
assert_type(client.files, FilesAPI)
assert_type(inferencesh.TaskStatus(7), TaskStatus)

params: dict[str, Any] = {"app": "namespace/name", "input": {"image": Path("a.png")}}

assert_type(client.tasks.run(params), dict[str, Any])
assert_type(client.tasks.run(params, timeout=3), dict[str, Any])
assert_type(client.tasks.run(params, wait=False), dict[str, Any])
assert_type(client.tasks.run(params, stream=True), TaskStream)


def run(wait: bool, stream: bool) -> None:
    assert_type(client.tasks.run(params, wait=wait), dict[str, Any])
    assert_type(client.tasks.run(params, stream=stream), "dict[str, Any] | TaskStream")


with client.tasks.stream("t1") as updates:
    assert_type(updates, TaskStream)
    for update in updates:
        assert_type(update, dict[str, Any])
    assert_type(updates.result, "dict[str, Any] | None")
    assert_type(updates.error, "Exception | None")

assert_type(client.tasks.get("t1"), dict[str, Any])
assert_type(client.tasks.wait_for_completion("t1", timeout=3), dict[str, Any])
assert_type(client.tasks.list(), Iterator[dict[str, Any]])
assert_type(client.tasks.logs("t1"), dict[str, Any])
assert_type(client.tasks.timings("t1"), TaskTimingsDTO)
for result in client.tasks.run_many([params, params], concurrency=2, return_exceptions=True):
    assert_type(result, "dict[str, Any] | Exception")
assert_type(client.tasks.run_many([params], timeout=3), Iterator[dict[str, Any]])

assert_type(client.run(params, timeout=3), dict[str, Any])
assert_type(client.run(params, stream=True), TaskStream)
assert_type(client.files.upload(b"bytes", UploadFileOptions(filename="a.txt")), dict[str, Any])
assert_type(client.upload_file("a.txt"), dict[str, Any])

assert_type(parse_status("running"), "TaskStatus | None")
assert_type(is_terminal_status(10), bool)

try:
    client.tasks.run(params)
except TaskFailedError as failed:
    assert_type(failed.task, dict[str, Any])
    assert_type(failed.task_id, "str | None")

with inference(base_url="local:apps") as local:
    assert_type(local, Inference)


async def asynchronous() -> None:
    async with async_inference(api_key="key", read_timeout=5) as client:
        assert_type(client, AsyncInference)
        assert_type(client.tasks, AsyncTasksAPI)
        assert_type(client.files, AsyncFilesAPI)
        assert_type(await client.tasks.run(params, cancel_on_exit=True), dict[str, Any])
        assert_type(client.tasks.run(params, stream=True), AsyncTaskStream)
        assert_type(await client.tasks.run(params, stream=True), AsyncTaskStream)
        async for update in await client.tasks.run(params, stream=True):
            assert_type(update, dict[str, Any])
        async for update in client.tasks.run(params, stream=True):
            assert_type(update, dict[str, Any])
        async with client.tasks.stream("t1", cancel_on_exit=True) as updates:
            assert_type(updates, AsyncTaskStream)
            assert_type(updates.result, "dict[str, Any] | None")
        assert_type(await client.tasks.get("t1"), dict[str, Any])
        assert_type(await client.tasks.cancel("t1"), None)
        assert_type(await client.tasks.timings("t1"), TaskTimingsDTO)
        assert_type(client.tasks.list(), AsyncIterator[dict[str, Any]])
        async for result in client.tasks.run_many([params], concurrency=2):
            assert_type(result, dict[str, Any])
        async for outcome in client.tasks.run_many([params], return_exceptions=True):
            assert_type(outcome, "dict[str, Any] | Exception")
        assert_type(await client.run(params, cancel_on_exit=True), dict[str, Any])
        assert_type(client.run(params, stream=True), AsyncTaskStream)
        assert_type(await client.files.upload(b"bytes"), dict[str, Any])
