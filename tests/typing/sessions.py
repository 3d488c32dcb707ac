"""Sessions as users write them; read by type checkers, never run."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from typing_extensions import assert_type

from inferencesh import (
    AsyncInference,
    AsyncSessionHandle,
    AsyncSessionsAPI,
    AsyncTaskStream,
    SessionExpiredError,
    SessionHandle,
    SessionsAPI,
    TaskStream,
    WorkerLostError,
    async_inference,
    inference,
)
from inferencesh.types import AppSessionDTO

client = inference()
assert_type(client.sessions, SessionsAPI)
assert_type(client.namespace(SessionsAPI), SessionsAPI)
assert_type(client.sessions.get("sess_1"), AppSessionDTO)
assert_type(client.sessions.list(), list[AppSessionDTO])
assert_type(client.sessions.keepalive("sess_1"), AppSessionDTO)
client.sessions.end("sess_1")

with client.session("app", function="start", input={"x": 1}, session_timeout=5, timeout=3) as session:
    assert_type(session, SessionHandle)
    assert_type(session.session_id, str)
    assert_type(session.task, "dict[str, Any] | None")
    assert_type(session.call("step", {"x": 1}), dict[str, Any])
    assert_type(session.call(wait=False, timeout=5), dict[str, Any])
    assert_type(session.call("run", stream=True), TaskStream)
    assert_type(session.info(), AppSessionDTO)
    assert_type(session.keepalive(), AppSessionDTO)
    session.end()

try:
    client.session("app")
except (SessionExpiredError, WorkerLostError) as error:
    assert_type(error.session_id, str)


def call(stream: bool) -> None:
    assert_type(session.call(stream=stream), "dict[str, Any] | TaskStream")


async def main() -> None:
    client = async_inference()
    assert_type(client, AsyncInference)
    assert_type(client.sessions, AsyncSessionsAPI)
    assert_type(await client.sessions.list(), list[AppSessionDTO])
    async with await client.session("app", input={"x": 1}) as session:
        assert_type(session, AsyncSessionHandle)
    async with client.session("app", setup={"m": 1}) as session:
        assert_type(session, AsyncSessionHandle)
        coming = session.call("step")
        _ = assert_type(coming, Coroutine[Any, Any, dict[str, Any]])
        assert_type(await session.call("step", wait=False), dict[str, Any])
        assert_type(session.call("run", stream=True), AsyncTaskStream)
        async for update in await session.call("run", stream=True):
            assert_type(update, dict[str, Any])
        assert_type(await session.info(), AppSessionDTO)
        await session.end()
