"""Pages of origins that the configuration lets in may call, as browser clients need (wire protocol 1.2)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp

from inferencesh_engine.api import Server
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.engine import Engine
from serving import write_apps

ORIGIN = "http://localhost:3000"


@asynccontextmanager
async def served(folder):
    config = EngineConfig(apps_dir=write_apps(folder / "apps"))
    async with (
        Engine(config) as engine,
        Server(engine, allow_origins=[ORIGIN]) as server,
        aiohttp.ClientSession(engine.base_url) as session,
    ):
        yield session, server.token


def test_an_allowed_page_asks_first_and_then_reads_the_answer(tmp_path):
    async def scenario():
        async with served(tmp_path) as (session, token):
            asking = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,x-api-version,x-client-source",
            }
            async with session.options("/apps/run", headers=asking) as leave:
                assert leave.status == 204
                assert leave.headers["Access-Control-Allow-Origin"] == ORIGIN
                assert leave.headers["Access-Control-Allow-Credentials"] == "true"
                allowed = leave.headers["Access-Control-Allow-Headers"].split(", ")
                assert set(asking["Access-Control-Request-Headers"].split(",")) <= set(allowed)
                assert "DELETE" in leave.headers["Access-Control-Allow-Methods"]
            calling = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site", "Authorization": f"Bearer {token}"}
            async with session.get("/tasks/nope", headers=calling) as answer:
                assert answer.status == 404
                assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
                assert answer.headers["Vary"] == "Origin"

    asyncio.run(scenario())


def test_other_pages_still_may_not(tmp_path):
    async def scenario():
        async with served(tmp_path) as (session, token):
            headers = {"Origin": "http://localhost:3001", "Authorization": f"Bearer {token}"}
            for method in ("OPTIONS", "GET"):
                async with session.request(method, "/tasks/nope", headers=headers) as answer:
                    assert answer.status == 403
                    assert "Access-Control-Allow-Origin" not in answer.headers

    asyncio.run(scenario())
